/** A tensor encoding of ggml: name as people write it, weights per block, bytes per block. */
export interface TensorEncoding {
  readonly name: string;
  readonly weights: number;
  readonly bytes: number;
}

/** Source: ggml `ggml_type` and its block structures. */
const encodings: readonly (readonly [id: number, name: string, weights: number, bytes: number])[] = [
  [0, "F32", 1, 4],
  [1, "F16", 1, 2],
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  [24, "I8", 1, 1],
  [25, "I16", 1, 2],
  [26, "I32", 1, 4],
  [27, "I64", 1, 8],
  [28, "F64", 1, 8],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18],
];

/** Tensor encodings by their number in the file; one that is missing here is newer than this table. */
export const tensorEncodings: ReadonlyMap<number, TensorEncoding> = new Map(
  encodings.map(([id, name, weights, bytes]) => [id, { name, weights, bytes }]),
);

const fileTypes: readonly (readonly [first: number, names: string])[] = [
  [0, "F32 F16 Q4_0 Q4_1"],
  [7, "Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ2_XXS IQ2_XS Q2_K_S"],
  [22, "IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M BF16"],
  [36, "TQ1_0 TQ2_0 MXFP4_MOE NVFP4 Q1_0"],
];

/** Names of `general.file_type` (llama.cpp `llama_ftype`). */
export const fileTypeNames: ReadonlyMap<number, string> = new Map(
  fileTypes.flatMap(([first, names]) => names.split(" ").map((name, index) => [first + index, name] as const)),
);

/** Number of a metadata value type -> bytes of one value; strings (8) and arrays (9) have no fixed size. */
export const scalarBytes: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);
export const stringType = 8;
export const arrayType = 9;

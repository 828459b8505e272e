const special = ["<unk>", "<s>", "</s>"];
const words =
  "a about after again all also and are as ask at be because been before but by can code come day do down each file find first for from get " +
  "give go good great have he hello help her here him his how i if in into is it just know like list little long look make man many may me " +
  "model more most my name new no not now number of on one only or other our out over people please read right say see she so some state " +
  "take tell than that the their them then there these they thing think this time to two up us use very want water way we what when which " +
  "who will with word work world would write year yes you your";

/** The words a tiny model knows: three special tokens, the alphabet, some English, and numbered fillers up to `size`. */
export function tinyVocabulary(size: number): readonly string[] {
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789.,!?'"];
  const known = [...new Set([...special, ...letters, ...words.split(" ")])];
  const fillers = Array.from({ length: Math.max(0, size - known.length) }, (_, index) => `w${index}`);
  return [...known, ...fillers].slice(0, size);
}

/** A `tokenizer.json` of the tokenizers library: lower case, split at white space, one token per known word. */
export function wordLevelTokenizer(vocabulary: readonly string[]): unknown {
  const added = special.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: null,
    model: { type: "WordLevel", vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])), unk_token: "<unk>" },
  };
}

import { malformed } from "./header-cursor.ts";

/**
 * The tensors of a file as numbers only: where each begins and ends, and a fingerprint of its name. A header with a hundred thousand names then
 * costs a few megabytes instead of a hundred. Two names with one fingerprint count as the same; that can refuse a file made on purpose, never accept
 * one.
 */
export class SpanTable {
  #begins = new Float64Array(1024);
  #ends = new Float64Array(1024);
  #names = new Float64Array(1024);
  #count = 0;

  add(name: Buffer, begin: number, end: number): void {
    if (this.#count === this.#names.length) this.#grow();
    this.#begins[this.#count] = begin;
    this.#ends[this.#count] = end;
    this.#names[this.#count] = nameFingerprint(name);
    this.#count++;
  }

  /** Throws when a name appears twice. */
  checkNames(): void {
    const names = this.#names.slice(0, this.#count).sort();
    for (let index = 1; index < names.length; index++) {
      if (names[index] === names[index - 1]) throw malformed("a tensor name appears twice");
    }
  }

  /** Throws when two spans overlap; `contiguous`: also when something lies between them. Returns where the last one ends. */
  checkSpans(contiguous: boolean): number {
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index);
    order.sort((a, b) => this.#at(this.#begins, a) - this.#at(this.#begins, b) || this.#at(this.#ends, a) - this.#at(this.#ends, b));
    let end = 0;
    for (const index of order) {
      const begin = this.#at(this.#begins, index);
      if (begin < end) throw malformed(`two tensors overlap at ${begin}`);
      if (contiguous && begin > end) throw malformed(`there is a hole between tensors at ${end}`);
      end = this.#at(this.#ends, index);
    }
    return end;
  }

  #at(values: Float64Array, index: number): number {
    return values[index] ?? 0;
  }

  #grow(): void {
    const larger = (values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const copy = new Float64Array(values.length * 2);
      copy.set(values);
      return copy;
    };
    this.#begins = larger(this.#begins);
    this.#ends = larger(this.#ends);
    this.#names = larger(this.#names);
  }
}

/** 53 bits of two FNV-1a hashes. */
function nameFingerprint(name: Buffer): number {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const value of name) {
    low = Math.imul(low ^ value, 0x01000193);
    high = Math.imul(high ^ value, 0x01000197);
  }
  return (low >>> 0) + ((high >>> 0) & 0x1fffff) * 2 ** 32;
}

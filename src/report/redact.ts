/** What stands in the place of a secret. */
export const redacted = "[redacted]";

/** Shapes of tokens that speak for themselves; the whole match goes. Each needs a boundary before it and a length that no word reaches. */
const tokenShapes: readonly RegExp[] = [
  /\b(?:hf|api_org)_[A-Za-z0-9]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bgl(?:pat|ptt|dt|rt|cbt|soat)-[A-Za-z0-9_-]{16,}/g,
  /\bsk-[A-Za-z0-9_-]{20,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{30,}/g,
  /\bya29\.[A-Za-z0-9_-]{16,}/g,
  /\bnpm_[A-Za-z0-9]{30,}/g,
  /\bpypi-[A-Za-z0-9_-]{30,}/g,
  /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}/g,
  /\b(?:nvapi|gsk|r8|rnd|dop_v1|doo_v1|shpat|sq0atp|sq0csp)[-_][A-Za-z0-9_-]{20,}/g,
  /\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}/g,
  /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g,
  /\bhvs\.[A-Za-z0-9_-]{20,}/g,
  /\bAGE-SECRET-KEY-1[A-Z0-9]{20,}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
];

/** Places where a secret of any shape stands; the first group stays. */
const secretPlaces: readonly RegExp[] = [
  // Credentials in a URL: scheme://user:secret@host
  /(\b[A-Za-z][A-Za-z0-9+.-]{0,30}:\/\/)[^\s/?#@]{1,512}@/g,
  // Not every word after "basic": base64 has a digit, a sign or a capital inside.
  /(\b[Bb](?:earer|asic)\s+)(?=[A-Za-z]*(?:[0-9+/=._~-]|[a-z][A-Z]|[A-Z]{2}))[A-Za-z0-9+/=._~-]{8,}/g,
  /(\b(?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?)(?!(?:Bearer|Basic)\b)[^\s"',]{4,}/gi,
  /(\b(?:(?:set-)?cookie|x-(?:api|auth|access|hf)-?(?:key|token))["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',]{4,}/gi,
  // Signed URLs and query parameters
  /([?&](?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|signature|sig|policy|key-pair-id)=)[^&\s"'#]+/gi,
  /([?&](?:token|access_token|refresh_token|api_?key|auth|password|secret)=)[^&\s"'#]+/gi,
  // NAME=value and "name": "value" where the name says what it is
  /(\b[A-Za-z0-9_.-]{0,40}(?:token|secret|passw(?:or)?d|api[_-]?key|private[_-]?key|access[_-]?key)["']?\s{0,2}=\s{0,2}["']?)[^\s"'&]{4,}/gi,
  /("[A-Za-z0-9_.-]{0,40}(?:token|secret|passw(?:or)?d|api[_-]?key|private[_-]?key|access[_-]?key)"\s{0,4}:\s{0,4}")[^"]{4,}/gi,
];

/** Replaces everything that looks like a secret. Applied to all free text before it is rendered, in whatever format. */
export function redact(text: string): string {
  let safe = text;
  for (const shape of tokenShapes) safe = safe.replaceAll(shape, redacted);
  for (const place of secretPlaces) safe = safe.replaceAll(place, (match, kept: string) => `${kept}${redacted}${match.endsWith("@") ? "@" : ""}`);
  return safe;
}

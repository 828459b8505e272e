import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
import { cutEnd, cutMiddle, displayWidth, padEnd, padStart } from "./text-layout.ts";

/** One column of a table. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** Where a cell that is too long loses text; paths and digests lose their middle. */
  readonly cut?: "end" | "middle";
  /** Columns never become narrower than this, default 6. */
  readonly minimum?: number;
}

export interface TableOptions {
  /** Columns of the terminal; without it nothing is cut, so that piped output is complete. */
  readonly width?: number;
  /** Default true. */
  readonly header?: boolean;
  readonly colour?: Paint;
}

const gap = "  ";

/** Rows below upper-case titles, two spaces between columns, no lines; an empty cell is shown as `-`. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const paint = options.colour ?? noPaint;
  const titles = columns.map((column) => column.title.toUpperCase());
  const cells = rows.map((row) => columns.map((_column, index) => plainText(row[index] ?? "") || "-"));
  const shown = options.header === false ? cells : [titles, ...cells];
  const widths = fitWidths(
    columns,
    columns.map((_column, index) => Math.max(0, ...shown.map((row) => displayWidth(row[index] ?? "")))),
    options.width,
  );
  const lineOf = (row: readonly string[]): string =>
    columns
      .map((column, index) => cellOf(column, row[index] ?? "", widths[index] ?? 0))
      .join(gap)
      .trimEnd();
  const lines = [...(options.header === false ? [] : [paint("heading", lineOf(titles))]), ...cells.map(lineOf)];
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function cellOf(column: Column, text: string, width: number): string {
  const cut = column.cut === "middle" ? cutMiddle(text, width) : cutEnd(text, width);
  return column.align === "right" ? padStart(cut, width) : padEnd(cut, width);
}

/** Takes width from the widest column first, one step at a time, down to each column's minimum. */
function fitWidths(columns: readonly Column[], natural: readonly number[], limit: number | undefined): readonly number[] {
  const widths = [...natural];
  if (limit === undefined) return widths;
  let excess = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1) - limit;
  while (excess > 0) {
    const widest = widths.reduce((best, width, index) => (room(columns, widths, index) > 0 && width > (widths[best] ?? -1) ? index : best), -1);
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}

function room(columns: readonly Column[], widths: readonly number[], index: number): number {
  return (widths[index] ?? 0) - (columns[index]?.minimum ?? 6);
}

/** Plain text tables, row by row: widths come from the first rows and only grow. Pure. */

export interface Column<T> {
  title: string;
  /** Numbers stand right. */
  right?: boolean;
  text(row: T): string;
}

/** Turns batches of rows into lines, headed once. */
export function tableWriter<T>(columns: readonly Column<T>[]): (rows: readonly T[]) => string[] {
  const widths = columns.map((column) => column.title.length);
  let headed = false;
  return (rows) => {
    const cells = rows.map((row) => columns.map((column) => column.text(row)));
    for (const line of cells) line.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
    const print = (line: readonly string[]): string =>
      line
        .map((cell, i) => (columns[i]?.right === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd();
    const lines = cells.map(print);
    if (!headed)
      lines.unshift(print(columns.map((column) => column.title)), print(widths.map((width) => '-'.repeat(width))));
    headed = true;
    return lines;
  };
}

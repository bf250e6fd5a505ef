/** Plain tables: columns aligned, numbers to the right, no lines drawn. Pure. */
import { visible } from './visible.ts';

export type Style = 'red' | 'yellow' | 'green' | 'dim';

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export type Cell = string | number | undefined | { text: string; style: Style };

const GAP = '  ';

/** @param rows as many cells as there are headings; an undefined cell is empty */
export function tableOf(headings: string[], rows: Cell[][], paint: Paint): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => widthOf(row[i]))));
  const isNumeric = headings.map((_, i) => rows.length > 0 && rows.every((row) => isNumber(row[i])));
  const line = (cells: Cell[]) =>
    cells
      .map((cell, i) => {
        const room = ' '.repeat((widths[i] ?? 0) - widthOf(cell));
        const text = typeof cell === 'object' ? paint(cell.style, textOf(cell)) : textOf(cell);
        return isNumeric[i] ? room + text : text + room;
      })
      .join(GAP)
      .trimEnd();
  const heading = line(headings.map((text) => ({ text, style: 'dim' })));
  return [heading, ...rows.map(line)].join('\n');
}

/** One thing, a line for each of its properties; those without a value are left out. */
export function listOf(entries: [string, Cell][], paint: Paint): string {
  const known = entries.filter(([, cell]) => cell !== undefined);
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known
    .map(([name, cell]) => {
      const text = typeof cell === 'object' ? paint(cell.style, textOf(cell)) : textOf(cell);
      return `${paint('dim', name.padEnd(width))}${GAP}${text}`;
    })
    .join('\n');
}

function textOf(cell: Cell): string {
  if (cell === undefined) return '';
  return visible(typeof cell === 'object' ? cell.text : String(cell));
}

function widthOf(cell: Cell): number {
  return textOf(cell).length;
}

/** Counts that stopped early ("1000+") and empty cells stand among numbers. */
function isNumber(cell: Cell): boolean {
  return /^(\d+\+?)?$/.test(textOf(cell));
}

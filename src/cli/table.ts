/** Plain tables: columns aligned, numbers to the right, no lines drawn, a row to a line. Pure. */
import { shortened, visible } from './visible.ts';

export type Style = 'red' | 'yellow' | 'green' | 'dim';

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export type Cell = string | number | undefined | { text: string; style: Style };

/** Where it is shown. */
export interface Screen {
  paint: Paint;
  /** Columns; infinite where it is no terminal. */
  width: number;
}

const GAP = '  ';
/** No column is made narrower than this, or than its heading. */
const LEAST_WIDTH = 8;

/** @param rows as many cells as there are headings; an undefined cell is empty. The first names the row, and is always whole */
export function tableOf(headings: string[], rows: Cell[][], { paint, width }: Screen): string {
  const natural = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => widthOf(row[i]))));
  const widths = fitted(natural, headings, width);
  const isNumeric = headings.map((_, i) => rows.length > 0 && rows.every((row) => isNumber(row[i])));
  const line = (cells: Cell[]) =>
    cells
      .map((cell, i) => {
        const shown = shortened(textOf(cell), widths[i] ?? 0);
        const room = ' '.repeat((widths[i] ?? 0) - shown.length);
        const text = typeof cell === 'object' ? paint(cell.style, shown) : shown;
        return isNumeric[i] ? room + text : text + room;
      })
      .join(GAP)
      .trimEnd();
  const heading = line(headings.map((text) => ({ text, style: 'dim' })));
  return [heading, ...rows.map(line)].join('\n');
}

/** Columns that fit side by side: the widest gives, a character at a time. On a screen too narrow even for that, lines break. */
function fitted(natural: number[], headings: string[], width: number): number[] {
  const widths = [...natural];
  const spareOf = (i: number) => (i === 0 ? 0 : (widths[i] ?? 0) - Math.max(headings[i]?.length ?? 0, LEAST_WIDTH));
  const whole = widths.reduce((sum, column) => sum + column + GAP.length, -GAP.length);
  for (let over = whole - width; over > 0; over--) {
    const spares = widths.map((_, i) => spareOf(i));
    const most = Math.max(...spares);
    if (most <= 0) break;
    const widest = spares.indexOf(most);
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
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

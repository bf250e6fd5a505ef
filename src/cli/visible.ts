/** Text that is safe to show: names and bodies come from anybody, and a terminal obeys control characters. Pure. */

/** C0, C1, and what turns the direction of a line. Tabs and line ends too: a value stays in its line. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** JSON means the same after it: there such characters stand in strings only, and this is how strings escape them. */
export function visible(text: string): string {
  return text.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The beginning of it, with an ellipsis where something is left out. @param most UTF-16 units: about the columns of a terminal */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`; // no half of a character
}

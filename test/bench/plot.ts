/** Plots as SVG, by hand: bars and lines on a logarithmic axis. Pure. */

export interface Bar {
  label: string;
  value: number;
  /** From the least to the most that was seen. */
  low: number;
  high: number;
  strong: boolean;
}

export interface Line {
  label: string;
  points: { x: number; y: number }[];
}

const WIDTH = 760;
const LEFT = 250;
const ROW = 24;
const TOP = 44;
const COLOURS = ['#0b6e99', '#c4501b', '#3c7a3c', '#7b4fa3', '#8a6d00', '#444444'];

/** Bars from the least power of ten: the values of some are a hundred times those of others. */
export function bars(title: string, unit: string, data: Bar[]): string {
  const shown = data.filter(({ value }) => value > 0);
  const scale = logScale(
    shown.flatMap(({ low, high }) => [low, high]),
    LEFT,
    WIDTH - 80,
  );
  const rows = shown.map(({ label, value, low, high, strong }, i) => {
    const y = TOP + i * ROW;
    const middle = y + ROW / 2 - 3;
    return [
      text(LEFT - 8, middle + 4, label, 'end'),
      `<rect x="${LEFT}" y="${y}" width="${fixed(scale.at(value) - LEFT)}" height="${ROW - 6}" fill="${strong ? COLOURS[0] : '#9aa7b0'}"/>`,
      `<path d="M${fixed(scale.at(low))} ${middle}H${fixed(scale.at(high))}" stroke="#222" stroke-width="1.5"/>`,
      text(scale.at(Math.max(value, high)) + 6, middle + 4, short(value), 'start'),
    ].join('');
  });
  const bottom = TOP + shown.length * ROW;
  const grid = scale.ticks.map(
    (tick) => vertical(scale.at(tick), TOP - 6, bottom) + text(scale.at(tick), bottom + 14, short(tick), 'middle'),
  );
  return page(bottom + 28, title, unit, [...grid, ...rows]);
}

/** Lines over sizes that grow tenfold; y begins at 0, so that a fall looks as deep as it is, unless it is logarithmic too. */
export function lines(title: string, unit: string, data: Line[], logarithmicY = false): string {
  const bottom = 330;
  const left = 70;
  const all = data.flatMap(({ points }) => points);
  const x = logScale(
    all.map((point) => point.x),
    left,
    WIDTH - 190,
  );
  const y = logarithmicY
    ? logScale(
        all.map((point) => point.y),
        bottom,
        TOP,
      )
    : linearScale(
        all.map((point) => point.y),
        bottom,
        TOP,
      );
  const grid = [
    ...x.ticks.map((tick) => vertical(x.at(tick), TOP, bottom) + text(x.at(tick), bottom + 16, short(tick), 'middle')),
    ...y.ticks.map(
      (tick) =>
        `<path d="M${left} ${fixed(y.at(tick))}H${WIDTH - 190}" stroke="#ddd"/>${text(left - 6, y.at(tick) + 4, short(tick), 'end')}`,
    ),
  ];
  const drawn = data.map(({ label, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points
      .map((point, at) => `${at === 0 ? 'M' : 'L'}${fixed(x.at(point.x))} ${fixed(y.at(point.y))}`)
      .join('');
    const dots = points.map(
      (point) => `<circle cx="${fixed(x.at(point.x))}" cy="${fixed(y.at(point.y))}" r="3" fill="${colour}"/>`,
    );
    const legend = `<rect x="${WIDTH - 175}" y="${TOP + i * 20}" width="12" height="12" fill="${colour}"/>${text(WIDTH - 157, TOP + 10 + i * 20, label, 'start')}`;
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${legend}`;
  });
  return page(bottom + 30, title, unit, [...grid, ...drawn]);
}

interface Scale {
  at(value: number): number;
  ticks: number[];
}

function logScale(values: number[], from: number, to: number): Scale {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value) => from + ((Math.log10(value) - least) / (most - least)) * (to - from),
    ticks: Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i)),
  };
}

function linearScale(values: number[], from: number, to: number): Scale {
  const most = Math.max(...values);
  const step = 10 ** Math.floor(Math.log10(most));
  const count = Math.ceil(most / step);
  return {
    at: (value) => from + (value / (count * step)) * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, i) => i * step),
  };
}

function page(height: number, title: string, unit: string, content: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">`,
    '<rect width="100%" height="100%" fill="#fff"/>', // readable on dark pages too
    `<text x="12" y="20" font-size="15" font-weight="bold" fill="#222">${escaped(title)}</text>`,
    text(WIDTH - 12, 20, unit, 'end'),
    ...content,
    '</svg>\n',
  ].join('\n');
}

const vertical = (x: number, top: number, bottom: number) => `<path d="M${fixed(x)} ${top}V${bottom}" stroke="#ddd"/>`;

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" fill="#222">${escaped(content)}</text>`;
}

const fixed = (value: number) => Math.round(value * 10) / 10;

const escaped = (content: string) => content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');

/** 1,234 and more by thousands or millions; what is small with two digits that count. */
export function short(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`;
  if (value >= 1_000) return `${Number((value / 1_000).toPrecision(3))}k`;
  return String(Number(value.toPrecision(2)));
}

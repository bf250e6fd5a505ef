/** A plot over time by uPlot. It is drawn on a canvas, so a table of its last values stands in for it where it is not seen. */
import type { Child } from 'hono/jsx';
import { useRef } from 'hono/jsx/dom';
import uPlot from 'uplot';
import { useEffect } from '../effect.ts';
import type { Measure } from '../measures.ts';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  label: string;
  /** A class whose colour it has. */
  tone: string;
  values: (number | null)[];
}

interface PlotProps {
  title: string;
  /** Epoch ms. */
  times: number[];
  lines: Line[];
  measure: Measure;
  /** px */
  height?: number;
  /** What stands there instead where there is nothing to draw. */
  children: Child;
}

export function Plot({ title, times, lines, measure, height = 190, children }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = lines.map(({ label }) => label).join('\n');
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const made = new uPlot(optionsFor(element, lines, measure, height), dataOf(times, lines), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => made.redraw(false);
    dark.addEventListener('change', redraw);
    addEventListener('themechange', redraw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', redraw);
      removeEventListener('themechange', redraw);
      made.destroy();
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(dataOf(times, lines)), [times, lines]);
  const isEmpty = lines.every(({ values }) => values.every(measure.isNone));
  return (
    <figure class={`card plot ${isEmpty ? 'nothing' : ''}`}>
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {lines.map(({ label, tone, values }) => (
            <li key={label}>
              <i class={`dot ${tone}`} aria-hidden="true" />
              {label} <b>{lastOf(values, measure)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} aria-hidden="true" />
      {isEmpty ? <div class="state">{children}</div> : null}
    </figure>
  );
}

/** Of the last step, as are those of the other lines: an older one would pass for the present. */
function lastOf(values: (number | null)[], { show }: Measure): string {
  const last = values.at(-1);
  return last === undefined || last === null ? '–' : show(last);
}

const dataOf = (times: number[], lines: Line[]): uPlot.AlignedData => [
  times.map((at) => at / 1_000),
  ...lines.map(({ values }) => values),
];

/** Between two marks on the axis of time, s. */
const STEPS = [5, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];

function clock(at: number, step: number): string {
  const seconds = step < 60 ? { second: '2-digit' as const } : {};
  return new Date(at * 1_000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...seconds });
}

/** What marks take on the left, px: as much as the longest needs. */
const widthOf = (marks: string[] | null) => 12 + 7 * Math.max(2, ...(marks ?? []).map((mark) => mark.length));

/** Points without neighbours: no line leads to them. */
function lonelyIn(values: ArrayLike<number | null | undefined> = []): number[] {
  const isThere = (i: number) => (values[i] ?? null) !== null;
  return Array.from(values, (_, i) => i).filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1));
}

/** The least that the axis of time spans, s: a plot that has just begun is not stretched. */
const LEAST_SPAN = 60;

/** The colour that a class has here and now: it follows the theme. */
function colourOf(element: HTMLElement, tone: string): string {
  const probe = document.createElement('i');
  probe.className = tone;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function optionsFor(element: HTMLElement, lines: Line[], measure: Measure, height: number): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: () => colourOf(element, 'tone-axis'),
    grid: { stroke: () => colourOf(element, 'tone-grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width: Math.max(element.clientWidth, 200),
    height,
    legend: { show: false },
    padding: [10, 14, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: (_, from, to) => [from, Math.max(to, from + LEAST_SPAN)] },
      y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 24,
        incrs: STEPS,
        values: (_, ticks, __, ___, step) => ticks.map((at) => clock(at, step)),
      },
      {
        ...axis,
        size: (_, marks) => widthOf(marks),
        incrs: measure.steps,
        values: (_, ticks) => ticks.map(measure.show),
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ label, tone }): uPlot.Series => ({
          label,
          stroke: () => colourOf(element, `tone-${tone}`),
          width: 2,
          points: {
            show: false,
            size: 5,
            fill: () => colourOf(element, `tone-${tone}`),
            filter: (plot, i) => lonelyIn(plot.data[i]),
          },
        }),
      ),
    ],
  };
}

// Charts: a stack over time on uPlot with its legend, text summary and table, and the small instruments
// on the tiles (a scale with a needle, a line of the last minutes) as SVG.
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Cell } from './api';
import * as f from './format';
import { isBlank, kindsShown, RANGES, sharesOf, stackOf, summaryOf, thinned } from './model';
import type { Instrument, Kind, Series } from './model';

const TABLE_ROWS = 30;
const AXIS_FONT_PX = 11;
const EDGE_PX = 10;
const SOFT = 0.3;
const SOLID = 0.82;

function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function colourOf(kind: Kind): string {
  return `--${kind.key.replace('bytes_', 'from-').replaceAll('_', '-')}`;
}

// Opaque mixture of two #rrggbb colours: a see-through one would show the grid lines.
function mixed(top: string, ground: string, share: number): string {
  const part = (hex: string, at: number): number => parseInt(hex.slice(at, at + 2), 16);
  const byte = (at: number): string =>
    Math.round(part(top, at) * share + part(ground, at) * (1 - share))
      .toString(16)
      .padStart(2, '0');
  return `#${byte(1)}${byte(3)}${byte(5)}`;
}

// Bytes step by powers of two, so that the axis reads 256 KiB and not 244 KiB.
const TIME_STEPS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800,
];
const BYTE_STEPS = Array.from({ length: 51 }, (_, i) => 2 ** i);

// A label too near the right edge would be cut off and is left out.
function timeLabels(rangeSeconds: number): (self: uPlot, splits: number[]) => string[] {
  return (self, splits) => {
    const last = self.bbox.width / devicePixelRatio - EDGE_PX;
    return splits.map((s) => {
      if (self.valToPos(s, 'x') > last) {
        return '';
      }
      return rangeSeconds > 86400 ? f.day(s) : f.clock(s, rangeSeconds <= 300);
    });
  };
}

interface Look {
  rangeSeconds: number;
  kinds: readonly Kind[];
  isBytes: boolean;
  hover: (index: number | null) => void;
}

function axesOf(look: Look): uPlot.Axis[] {
  const font = `${AXIS_FONT_PX}px ${getComputedStyle(document.body).fontFamily}`;
  const common: uPlot.Axis = { stroke: cssColour('--ink-2'), font, ticks: { show: false } };
  const y: uPlot.Axis = {
    ...common,
    grid: { stroke: cssColour('--line'), width: 1 },
    gap: 8,
    space: 36,
    values: (_, splits) => f.axisRates(splits, look.isBytes),
    // Wide enough for the longest label: a fixed width clips "123 MiB/s".
    size: (self, values) => {
      if (values === null || values.length === 0) {
        return 40;
      }
      const longest = values.reduce((a, v) => (v.length > a.length ? v : a), '');
      self.ctx.save();
      self.ctx.font = `${AXIS_FONT_PX * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
      const width = self.ctx.measureText(longest).width / devicePixelRatio;
      self.ctx.restore();
      return Math.ceil(width) + 14;
    },
  };
  if (look.isBytes) {
    y.incrs = BYTE_STEPS;
  }
  const x: uPlot.Axis = {
    ...common,
    grid: { show: false },
    ticks: { show: true, stroke: cssColour('--line-2'), width: 1, size: 5 },
    space: 84,
    incrs: TIME_STEPS,
    size: 30,
    values: timeLabels(look.rangeSeconds),
  };
  return [x, y];
}

function optionsOf(look: Look, width: number, height: number): uPlot.Options {
  const ground = cssColour('--panel');
  // Drawn from the topmost sum downwards; a band ends each area where the next one begins.
  const series: uPlot.Series[] = look.kinds
    .map((kind, i): uPlot.Series => {
      const colour = cssColour(colourOf(kind));
      // The lowest area is the largest: soft with a clear edge. The thin ones above it are solid.
      const edge =
        i === 0
          ? { stroke: colour, width: 1.5, fill: mixed(colour, ground, SOFT) }
          : { stroke: colour, width: 0.5, fill: mixed(colour, ground, SOLID) };
      return { label: kind.label, ...edge, points: { show: false } };
    })
    .reverse();
  return {
    width,
    height,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: false, y: false },
      sync: { key: 'larder', setSeries: false },
    },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: axesOf(look),
    series: [{}, ...series],
    bands: look.kinds.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })),
    hooks: { setCursor: [(self) => look.hover(self.cursor.idx ?? null)] },
  };
}

function dataOf(series: Series, kinds: readonly Kind[]): uPlot.AlignedData {
  const { sums } = stackOf(series, kinds);
  return [series.t, ...sums.reverse()] as uPlot.AlignedData;
}

interface CanvasProps {
  series: Series;
  kinds: readonly Kind[];
  isBytes: boolean;
  theme: string;
  hover: (index: number | null) => void;
}

function Canvas({ series, kinds, isBytes, theme, hover }: CanvasProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const rangeSeconds = RANGES.find((r) => r.key === series.range)?.seconds ?? 300;
  const latest = useRef(series);
  latest.current = series;
  const shape = `${series.range} ${theme} ${kinds.map((k) => k.key).join(' ')}`;

  const draw = (): void => {
    const made = plot.current;
    if (made === null) {
      return;
    }
    const end = latest.current.t[latest.current.t.length - 1] ?? Date.now() / 1000;
    made.batch(() => {
      made.setData(dataOf(latest.current, kinds), false);
      made.setScale('x', { min: end - rangeSeconds + latest.current.step * 1.5, max: end });
    });
  };

  useEffect(() => {
    const element = box.current;
    if (element === null) {
      return undefined;
    }
    const look: Look = { rangeSeconds, kinds, isBytes, hover };
    const size = (): { width: number; height: number } => ({
      width: element.clientWidth,
      height: element.clientHeight,
    });
    const { width, height } = size();
    plot.current = new uPlot(optionsOf(look, width, height), dataOf(latest.current, kinds), element);
    draw();
    const observer = new ResizeObserver(() => plot.current?.setSize(size()));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(draw, [series]);

  return <div ref={box} class="canvas" aria-hidden="true" />;
}

interface LegendProps {
  series: Series;
  kinds: readonly Kind[];
  at: number | null;
  format: (n: f.Maybe) => f.Quantity;
}

// Without the pointer: averages over the range. With it: the moment under the pointer.
function Legend({ series, kinds, at, format }: LegendProps) {
  const shares = sharesOf(series, kinds);
  const t = at === null ? undefined : series.t[at];
  return (
    <div class="legend">
      <p class="legend-head">
        {t === undefined ? 'average' : series.step >= 300 ? `${f.day(t)} ${f.clock(t, false)}` : f.clock(t)}
      </p>
      <ul>
        {shares.map(({ kind, perSecond, share }) => {
          const cell = series.columns[kind.key][at ?? 0] ?? null;
          const value = t === undefined ? perSecond : cell === null ? null : cell / series.step;
          return (
            <li key={kind.key} title={kind.note}>
              <span class={`swatch swatch-${kind.key.replaceAll('_', '-')}`} />
              <span class="legend-name">{kind.label}</span>
              <span class="legend-value">{f.text(format(value))}</span>
              {t === undefined && <span class="legend-share">{f.text(f.percent(share))}</span>}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function ChartTable({
  series,
  kinds,
  format,
  title,
}: {
  series: Series;
  kinds: readonly Kind[];
  format: LegendProps['format'];
  title: string;
}) {
  const { rates } = stackOf(series, kinds);
  const thin = thinned(series.t, rates, TABLE_ROWS);
  const order = thin.t.map((_, i) => i).reverse();
  const time = (t: number): string => (series.step >= 300 ? `${f.day(t)} ${f.clock(t, false)}` : f.clock(t));
  return (
    <div class="scroll chart-table" tabIndex={0} role="region" aria-label={`${title}, as table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {kinds.map((k) => (
              <th scope="col" class="num" key={k.key}>
                {k.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={thin.t[i]}>
              <th scope="row">{time(thin.t[i] ?? 0)}</th>
              {thin.columns.map((c, k) => (
                <td class="num" key={k}>
                  {f.text(format(c[i]))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export interface StackChartProps {
  title: string;
  series: Series | null;
  failed?: boolean; // the series is not to be had, as the page says elsewhere
  kinds: readonly Kind[];
  format: (n: f.Maybe) => f.Quantity;
  isBytes?: boolean;
  theme: string;
}

export function StackChart(props: StackChartProps) {
  const { title, series, failed = false, kinds, format, isBytes = false, theme } = props;
  const id = useId();
  const [at, setAt] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const shown = useMemo(() => (series === null ? kinds : kindsShown(series, kinds)), [series, kinds]);
  const empty = series !== null && isBlank(series, kinds);
  return (
    <section class="panel chart" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        <button
          type="button"
          class="quiet"
          aria-pressed={asTable}
          disabled={series === null || empty}
          onClick={() => setAsTable(!asTable)}
        >
          Table
        </button>
      </header>
      {series === null && !failed && <div class="canvas skeleton" />}
      {series === null && failed && (
        <div class="canvas blank">
          <p>Could not be read.</p>
        </div>
      )}
      {empty && (
        <div class="canvas blank">
          <p>No data yet: a point is written down every {f.duration(series.step)}.</p>
        </div>
      )}
      {series !== null && !empty && (
        <>
          <p class="hidden">{summaryOf(series, shown, title, format)}</p>
          {asTable ? (
            <ChartTable series={series} kinds={shown} format={format} title={title} />
          ) : (
            <Canvas
              series={series}
              kinds={shown}
              isBytes={isBytes}
              theme={theme}
              hover={setAt}
            />
          )}
          <Legend series={series} kinds={shown} at={asTable ? null : at} format={format} />
        </>
      )}
    </section>
  );
}

const SCALE_STEPS = 40;

// A ruler from 0 to 100 % with a filled bar, and a second mark for the longer time.
function Scale({ share, mark }: { share: number | null; mark: number | null }) {
  const at = (s: number): number => Math.min(1, Math.max(0, s)) * 200;
  const ticks = Array.from({ length: SCALE_STEPS + 1 }, (_, i) => i);
  return (
    <svg class="instrument" viewBox="0 0 200 24" preserveAspectRatio="none" aria-hidden="true">
      <path
        class="scale-ticks"
        d={ticks.map((i) => `M${i * 5} ${i % 10 === 0 ? 12 : i % 5 === 0 ? 15 : 18}V22`).join('')}
      />
      <rect class="scale-track" x="0" y="3" width="200" height="5" />
      {share !== null && <rect class="scale-bar" x="0" y="3" width={at(share)} height="5" />}
      {mark !== null && <path class="scale-mark" d={`M${at(mark)} 0V11`} />}
      {share !== null && <path class="scale-needle" d={`M${at(share)} 0V22`} />}
    </svg>
  );
}

// Each run of known values is a line; a gap in the data is a gap in the line.
function Spark({ values, least, tone }: { values: Cell[]; least: number; tone: string }) {
  const known = values.filter((v): v is number => v !== null);
  const calm = tone === 'error' && !known.some((v) => v > 0); // nothing to be red about
  const top = Math.max(...known, least);
  const width = Math.max(values.length - 1, 1);
  let line = '';
  let area = '';
  let start = -1;
  const y = (v: number): string => (22 - (v / top) * 20).toFixed(2);
  values.forEach((v, i) => {
    if (v === null) {
      return;
    }
    const x = ((i / width) * 200).toFixed(2);
    const first = (values[i - 1] ?? null) === null;
    if (first) {
      start = i;
      area += `M${x} 22`;
    }
    line += `${first ? 'M' : 'L'}${x} ${y(v)}`;
    area += `L${x} ${y(v)}`;
    if ((values[i + 1] ?? null) === null && start >= 0) {
      area += `L${x} 22Z`;
    }
  });
  return (
    <svg
      class={`instrument spark spark-${calm ? 'calm' : tone}`}
      viewBox="0 0 200 24"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="scale-ticks" d="M0 22H200" />
      <path class="spark-area" d={area} />
      <path class="spark-line" d={line} />
    </svg>
  );
}

export function InstrumentView({ instrument }: { instrument: Instrument }) {
  return instrument.kind === 'scale' ? (
    <Scale share={instrument.share} mark={instrument.mark} />
  ) : (
    <Spark values={instrument.values} least={instrument.least} tone={instrument.tone} />
  );
}

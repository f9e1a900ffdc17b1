// Numbers, sizes, times and their units as people read them. No data is "–", never 0.
// Counts are SI (1k = 1000), sizes IEC (1 KiB = 1024), time is local with 24 hours.

export const NONE = '–';
const NARROW = '\u202f'; // narrow no-break space: between digits, and before a unit

export type Maybe = number | null | undefined;

// A number and its unit, set in different sizes on a tile.
export interface Quantity {
  value: string;
  unit: string;
}

const NOTHING: Quantity = { value: NONE, unit: '' };

export function isNumber(n: Maybe): n is number {
  return typeof n === 'number' && Number.isFinite(n);
}

// Three significant digits, so that a changing number keeps its width; whole numbers stay whole.
function three(n: number): string {
  const size = Math.abs(n);
  if (size >= 99.95 || Number.isInteger(n)) {
    return n.toFixed(0);
  }
  return size >= 9.995 ? n.toFixed(1) : n.toFixed(2);
}

// Steps up before rounding would show "1000" of the smaller unit.
function scaled(n: number, base: number, units: readonly string[]): Quantity {
  let step = 0;
  while (step < units.length - 1 && Math.abs(n) >= base * 0.9995) {
    n /= base;
    step++;
  }
  return { value: three(n), unit: units[step] ?? '' };
}

const COUNTS = ['', 'k', 'M', 'G', 'T'] as const;

export function count(n: Maybe): Quantity {
  if (!isNumber(n)) {
    return NOTHING;
  }
  return Math.abs(n) < 999.5 && Number.isInteger(n)
    ? { value: String(n), unit: '' }
    : scaled(n, 1000, COUNTS);
}

// A rate below ten keeps a decimal, so that quiet sites do not read as 0.
export function rate(n: Maybe): Quantity {
  const q = count(n);
  return q === NOTHING ? q : { value: q.value, unit: `${q.unit}/s` };
}

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function bytes(n: Maybe): Quantity {
  if (!isNumber(n)) {
    return NOTHING;
  }
  let step = 0;
  while (step < BYTES.length - 1 && Math.abs(n) >= 999.5) {
    n /= 1024;
    step++;
  }
  return { value: step === 0 ? n.toFixed(0) : three(n), unit: BYTES[step] ?? '' };
}

export function byteRate(n: Maybe): Quantity {
  const q = bytes(n);
  return q === NOTHING ? q : { value: q.value, unit: `${q.unit}/s` };
}

// A share of one as percent. 100 % and 0 % are said only when they are exact.
export function percent(share: Maybe): Quantity {
  if (!isNumber(share)) {
    return NOTHING;
  }
  const p = share * 100;
  if (p === 0 || p === 100) {
    return { value: String(p), unit: '%' };
  }
  if (p < 0.01) {
    return { value: '<0.01', unit: '%' };
  }
  if (p > 99.9) {
    return { value: Math.min(99.99, Math.floor(p * 100) / 100).toFixed(2), unit: '%' };
  }
  return { value: p < 1 ? p.toFixed(2) : p.toFixed(1), unit: '%' };
}

export function millis(ms: Maybe): Quantity {
  if (!isNumber(ms)) {
    return NOTHING;
  }
  if (ms > 0 && ms < 0.005) {
    return { value: '<0.01', unit: 'ms' };
  }
  if (ms < 999.5) {
    return { value: three(ms), unit: 'ms' };
  }
  return { value: three(ms / 1000), unit: 's' };
}

export function seconds(s: Maybe): Quantity {
  return millis(isNumber(s) ? s * 1000 : null);
}

export function text(q: Quantity): string {
  return q.unit === '' ? q.value : q.value + (/^[kMGT]?\/s$|^[kMGT]$/.test(q.unit) ? '' : NARROW) + q.unit;
}

// The labels of an axis of rates: one unit and as many decimals for all, and a plain 0.
export function axisRates(values: readonly number[], isBytes: boolean): string[] {
  const base = isBytes ? 1024 : 1000;
  const units = isBytes ? BYTES : COUNTS;
  const most = Math.max(0, ...values);
  let size = 1;
  let step = 0;
  while (step < units.length - 1 && most >= size * base) {
    size *= base;
    step++;
  }
  const isExact = (digits: number): boolean =>
    values.every((v) => Math.abs(v / size - Number((v / size).toFixed(digits))) < 1e-6);
  const digits = [0, 1, 2].find(isExact) ?? 2;
  return values.map((v) =>
    v === 0 ? '0' : text({ value: (v / size).toFixed(digits), unit: `${units[step] ?? ''}/s` }),
  );
}

// Every digit, grouped: for titles and tables where the exact value matters.
export function exact(n: Maybe): string {
  if (!isNumber(n)) {
    return NONE;
  }
  const [whole, part] = String(Math.round(n * 100) / 100).split('.');
  const grouped = (whole ?? '').replace(/\B(?=(\d{3})+(?!\d))/g, NARROW);
  return part === undefined ? grouped : `${grouped}.${part}`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${exact(n)} ${n === 1 ? one : many}`;
}

// "3 d 4 h", "12 min 5 s", "8 s": the two largest units.
export function duration(s: Maybe): string {
  if (!isNumber(s)) {
    return NONE;
  }
  const whole = Math.max(0, Math.floor(s));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) {
    return '0 s';
  }
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n}${NARROW}${unit}`)
    .join(' ');
}

const two = (n: number): string => String(n).padStart(2, '0');

export function clock(unixSeconds: number, withSeconds = true): string {
  const d = new Date(unixSeconds * 1000);
  return `${two(d.getHours())}:${two(d.getMinutes())}${withSeconds ? `:${two(d.getSeconds())}` : ''}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function day(unixSeconds: number): string {
  const d = new Date(unixSeconds * 1000);
  return `${d.getDate()} ${MONTHS[d.getMonth()] ?? ''}`;
}

export function unixOf(rfc3339: string): number | null {
  const ms = Date.parse(rfc3339);
  return Number.isFinite(ms) ? ms / 1000 : null;
}

// The time alone today, with the day before that.
export function when(rfc3339: string, nowSeconds: number): string {
  const t = unixOf(rfc3339);
  if (t === null) {
    return NONE;
  }
  return day(t) === day(nowSeconds) && nowSeconds - t < 86400 ? clock(t) : `${day(t)}, ${clock(t, false)}`;
}

export function utc(rfc3339: string): string {
  const t = unixOf(rfc3339);
  return t === null
    ? ''
    : new Date(t * 1000)
        .toISOString()
        .replace('T', ' ')
        .replace(/(\.\d+)?Z$/, ' UTC');
}

// Every call to the admin server, and the shapes of its answers. Errors are problem+json (RFC 9457).

export type Range = '5m' | '1h' | '24h' | '7d';
export type TopBy = 'requests' | 'misses' | 'bytes';
export type Mode = 'soft' | 'hard';

export interface Session {
  name: string;
  scopes: string[];
  csrf: string;
}

export interface Problem {
  level: 'warn' | 'error';
  event: string;
  text: string;
  last: string;
  count: number;
  now?: boolean; // a state that lasts, not a past event
  since?: string | null;
}

export interface StoreStatus {
  disk_bytes: number;
  disk_capacity_bytes: number;
  disk_objects: number;
  memory_bytes: number;
  memory_capacity_bytes: number;
  memory_objects: number;
  index_bytes: number;
  recovering: boolean;
  recovered_share: number;
  disk: 'ok' | 'off' | 'failed';
}

export interface Status {
  version: string;
  host: string;
  pid: number;
  uptime_s: number;
  state: 'serving' | 'draining' | 'recovering';
  workers: number;
  connections: number;
  site_names: string[];
  forwards: string[]; // the forward proxies
  store: StoreStatus;
  problems: Problem[];
  config: { file: string | null; loaded_at: string; last_reload_ok: boolean; last_reload_error: string };
}

export const COLUMNS = [
  'requests',
  'hit',
  'stale',
  'revalidated',
  'miss',
  'pass',
  'synthetic',
  'denied',
  'error',
  'bytes_cache',
  'bytes_origin',
  'bytes_self',
  'origin_first_byte_p50_ms',
  'origin_first_byte_p95_ms',
  'hit_p50_ms',
  'hit_p95_ms',
  'connections',
  'evicted',
] as const;
export type Column = (typeof COLUMNS)[number];
export type Cell = number | null;
export type Point = { t: number } & Partial<Record<Column, Cell>>;

export interface Totals {
  covered_s?: Cell; // less than the minute or the day after a start
  requests?: Cell;
  bytes_cache?: Cell;
  bytes_origin?: Cell;
  hit_ratio?: Cell;
  byte_hit_ratio?: Cell;
  cacheable_share?: Cell;
  errors_5xx?: Cell;
  errors_origin?: Cell;
  errors_self?: Cell;
  origin_first_byte_p50_ms?: Cell;
  origin_first_byte_p95_ms?: Cell;
  cache_p95_ms?: Cell;
  requests_per_s?: Cell;
  saved_bytes_per_s?: Cell;
  evictions?: Cell;
}

export interface AllTotals {
  last_minute: Totals;
  day: Totals;
  peak_requests_per_s: Cell;
}

export type Stats = { range: Range; step_s: number; t: number[] } & Record<Column, Cell[]> & {
    totals: AllTotals;
    definitions: Record<string, string>;
  };

export interface TopItem {
  url: string;
  requests: number;
  hits: number;
  misses: number;
  bytes: number;
}

export interface Top {
  window_s: number;
  by: TopBy;
  error_bound: number;
  items: TopItem[];
}

export interface PurgeResult {
  url: string;
  matched: number;
  error?: string;
}

export interface Purge {
  id: string;
  state: string;
  mode: Mode;
  dry_run: boolean;
  matched: number;
  bytes: number;
  variants: number;
  in_flight: number;
  effective_at: string;
  took_s: number;
  sample: string[];
  by: string;
  reason: string;
  urls: number; // asked for; the lists below may be shorter
  results?: PurgeResult[];
  hints?: string[];
}

export type OriginState = 'up' | 'down' | 'ejected' | 'trial' | 'drain' | 'maintenance';
export type OriginOrder = 'up' | 'drain' | 'maintenance';

export interface OriginServer {
  name: string;
  url: string;
  state: OriginState;
  reason: string;
  by: string;
  since: string | null;
  is_last: boolean; // without it nobody is left to ask
  weight: number;
  max: number | null;
  backup: boolean;
  checks: boolean;
  last_check: { time: string; result: 'passed' | 'failed'; detail: string; ms: number } | null;
  addresses: string[];
  resolve_error: string;
  active: number;
  requests: number;
  requests_per_s: number;
  errors_last_minute: number;
  errors: Record<string, number>;
  first_byte_p50_ms: Cell;
  first_byte_p95_ms: Cell;
  bytes: number;
  connections_made: number;
  connections_reused: number;
  ejections: number;
}

export interface OriginPool {
  name: string;
  sites: string[];
  balance: string;
  active: number;
  up: number;
  warning: string;
  retries: number;
  retries_refused: number;
  queue: {
    waiting: number;
    size: number;
    timeout_s: number;
    waited: number;
    refused_full: number;
    refused_late: number;
    refused_down: number;
  };
  servers: OriginServer[];
}

export interface Origins {
  pools: OriginPool[];
}

export interface Site {
  name: string;
  names: string[];
  maintenance: { on: boolean; reason: string; since: string | null; by: string; cached: boolean };
}

export interface AccessRule {
  name: string;
  text: string | null; // as in the file; null: built in
  at: string | null; // "larder.conf:12"
  allowed: number;
  denied: number;
}

export interface AccessForward {
  name: string;
  at: string | null;
  listens: string[];
  requests: number;
  denied: number;
  challenges: number;
  tunnels: number;
  tunnels_total: number;
  tunnel_bytes_to_client: number;
  tunnel_bytes_to_origin: number;
  users_seen: number;
  clients_seen: number;
  rules: AccessRule[];
}

export interface Access {
  seen_s: number;
  forwards: AccessForward[];
}

export interface Denial {
  id: number;
  request_id: string;
  time: string;
  forward: string;
  client: string;
  user: string;
  method: string;
  scheme: 'http' | 'https' | 'connect';
  host: string;
  port: number;
  path: string;
  status: number;
  rule: string;
  reason: string;
}

export interface Denials {
  seen: number;
  kept: number;
  items: Denial[];
  next: string | null;
}

export interface DenialFilter {
  forward: string;
  rule: string;
  client: string;
  host: string;
}

export interface OpenTunnel {
  id: string;
  forward: string;
  client: string;
  user: string;
  host: string;
  port: number;
  rule: string;
  since: string;
  age_s: number;
  bytes_to_client: number;
  bytes_to_origin: number;
}

export interface OpenTunnels {
  open: number;
  by: TunnelBy;
  items: OpenTunnel[];
}

export type TunnelBy = 'age' | 'bytes';
export type AccessList = 'destinations' | 'users' | 'clients';
export type AccessBy = 'requests' | 'denied' | 'bytes';

export interface AccessItem {
  forward: string;
  host?: string;
  user?: string;
  client?: string;
  requests: number;
  denied: number;
  tunnels: number;
  bytes: number;
  bytes_to_client: number;
  last: string | null;
}

export interface AccessItems {
  by: AccessBy;
  window_s: number;
  error_bound: number;
  items: AccessItem[];
}

export interface Quota {
  forward: string;
  name: string;
  per: string; // hour, day, week, month
  key: 'client' | 'user' | 'all' | 'others';
  who: string;
  used_bytes: number;
  limit_bytes: number; // 0: the configuration has no such quota any more
  ends_at: string;
}

export interface Quotas {
  total: number;
  items: Quota[];
}

export interface AccessQuestion {
  client: string;
  url: string;
  user?: string;
  method?: string;
  forward?: string;
}

export interface AccessAnswer {
  forward: string;
  answer: 'allow' | 'deny' | 'unknown';
  rule: string;
  reason: string;
  text: string | null;
  at: string | null;
  method: string;
  scheme: 'http' | 'https' | 'connect';
  host: string;
  port: number;
  path: string;
  asks_response: boolean;
  lookup: string;
  way?: string | null;
  way_at?: string | null;
  addresses: {
    address: string;
    answer: 'allow' | 'deny';
    rule: string;
    reason: string;
    text: string | null;
    at: string | null;
  }[];
}

export interface Snapshot {
  status: Status;
  stats: Stats;
  top: Top;
  origins?: Origins;
}

export interface Tick {
  t: number;
  status: Status;
  point: Point;
  totals: AllTotals;
}

export interface FieldError {
  pointer?: string;
  message?: string;
  detail?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfter: number | null = null, // seconds
  ) {
    super(detail === '' ? title : detail);
  }
}

// The cookie cannot be seen from here. A note that there was a session spares a newcomer the question, which
// the browser would report as an error. Where nothing can be kept, it is always asked.
const HINT = 'larder-session';

function hintKeep(present: boolean): void {
  try {
    if (present) {
      localStorage.setItem(HINT, 'yes');
    } else {
      localStorage.removeItem(HINT);
    }
  } catch {
    // storage may be forbidden
  }
}

export function sessionLikely(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return true;
  }
}

const BASE = '/api/v1';
const TIMEOUT_MS = 15_000;

async function problemOf(answer: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    body = (await answer.json()) as Record<string, unknown>;
  } catch {
    // not JSON: the status has to do
  }
  const after = Number(answer.headers.get('Retry-After'));
  return new ApiError(
    answer.status,
    typeof body.title === 'string' ? body.title : `The server answered ${answer.status}`,
    typeof body.detail === 'string' ? body.detail : '',
    Array.isArray(body.errors) ? (body.errors as FieldError[]) : [],
    Number.isFinite(after) && after > 0 ? after : null,
  );
}

function originPath(pool: string, server: string): string {
  return `/origins/${encodeURIComponent(pool)}/${encodeURIComponent(server)}`;
}

// What is empty is left out.
function query(values: Record<string, string | number>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}

export class Api {
  private csrf = '';
  onUnauthorized: () => void = () => undefined;

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (method !== 'GET') {
      headers['Content-Type'] = 'application/json';
      headers['X-CSRF'] = this.csrf;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    const init: RequestInit = { method, headers, cache: 'no-store', signal: abort.signal };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    try {
      const answer = await fetch(BASE + path, init);
      if (!answer.ok) {
        throw await problemOf(answer);
      }
      return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
    } catch (error) {
      throw error instanceof ApiError
        ? error
        : new ApiError(
            0,
            'No answer from the admin server. Is Larder running, and can this browser reach it?',
            '',
          );
    } finally {
      clearTimeout(timer);
    }
  }

  // Any call but those of the session itself: 401 means that the session has ended. A login in another
  // tab changes the cross-site token, so a refused change is tried once more with the present one.
  private async guarded<T>(method: string, path: string, body?: unknown): Promise<T> {
    try {
      const before = this.csrf;
      try {
        return await this.call<T>(method, path, body);
      } catch (error) {
        const refused = error instanceof ApiError && error.status === 403 && method !== 'GET';
        if (!refused || (await this.whoami()).csrf === before) {
          throw error;
        }
        return await this.call<T>(method, path, body);
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.onUnauthorized();
      }
      throw error;
    }
  }

  private async session(method: string, body?: unknown): Promise<Session> {
    try {
      const session = await this.call<Session>(method, '/session', body);
      this.csrf = session.csrf;
      hintKeep(true);
      return session;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        hintKeep(false);
      }
      throw error;
    }
  }

  login(secret: { token: string } | { code: string }): Promise<Session> {
    return this.session('POST', secret);
  }

  whoami(): Promise<Session> {
    return this.session('GET');
  }

  async logout(): Promise<void> {
    hintKeep(false);
    await this.call<void>('DELETE', '/session');
    this.csrf = '';
  }

  status = (): Promise<Status> => this.guarded('GET', '/status');
  stats = (range: Range): Promise<Stats> => this.guarded('GET', `/stats?range=${range}`);
  top = (by: TopBy, limit = 20): Promise<Top> => this.guarded('GET', `/top?by=${by}&limit=${limit}`);

  origins = (): Promise<Origins> => this.guarded('GET', '/origins');

  originSet(pool: string, server: string, state: OriginOrder, reason: string): Promise<unknown> {
    return this.guarded('POST', originPath(pool, server), { state, reason });
  }

  originCheck(pool: string, server: string): Promise<unknown> {
    return this.guarded('POST', `${originPath(pool, server)}/check`, {});
  }

  async sites(): Promise<Site[]> {
    return (await this.guarded<{ sites: Site[] }>('GET', '/sites')).sites;
  }

  siteMaintain(site: string, on: boolean, reason: string): Promise<unknown> {
    return this.guarded('POST', `/sites/${encodeURIComponent(site)}/maintenance`, { on, reason });
  }

  access = (): Promise<Access> => this.guarded('GET', '/access');

  denials(filter: DenialFilter, limit: number, cursor: string | null): Promise<Denials> {
    return this.guarded('GET', `/access/denials?${query({ ...filter, limit, cursor: cursor ?? '' })}`);
  }

  tunnels(forward: string, by: TunnelBy, limit = 20): Promise<OpenTunnels> {
    return this.guarded('GET', `/access/tunnels?${query({ forward, by, limit })}`);
  }

  accessList(list: AccessList, by: AccessBy, forward: string, limit = 20): Promise<AccessItems> {
    return this.guarded('GET', `/access/${list}?${query({ forward, by, limit })}`);
  }

  quotas(forward: string, limit = 50): Promise<Quotas> {
    return this.guarded('GET', `/access/quotas?${query({ forward, limit })}`);
  }

  accessTest(question: AccessQuestion): Promise<AccessAnswer> {
    return this.guarded('POST', '/access/test', question);
  }

  async purges(): Promise<Purge[]> {
    return (await this.guarded<{ items: Purge[] }>('GET', '/purges')).items;
  }

  purge(urls: string[], mode: Mode, dryRun: boolean, reason: string): Promise<Purge> {
    return this.guarded('POST', '/purges', { select: { urls }, mode, dry_run: dryRun, reason });
  }

  events(): EventSource {
    return new EventSource(`${BASE}/events`);
  }
}

// The origins of the stand-in server: pools whose servers are in every state.
const ZERO_ERRORS = {};

function server(name, url, more) {
  return {
    name,
    url,
    state: 'up',
    reason: '',
    by: '',
    since: null,
    changes: 0,
    ejections: 0,
    is_last: false,
    weight: 1,
    max: null,
    backup: false,
    checks: true,
    last_check: null,
    checks_passed: 912,
    checks_failed: 0,
    addresses: [],
    resolved_at: null,
    resolve_error: '',
    active: 3,
    requests: 48_213,
    requests_per_s: 41.3,
    responses_last_minute: 2478,
    errors_last_minute: 0,
    responses: { none: 0, '1xx': 0, '2xx': 47_900, '3xx': 300, '4xx': 13, '5xx': 0 },
    errors: ZERO_ERRORS,
    first_byte_p50_ms: 38.2,
    first_byte_p95_ms: 104.7,
    bytes: 912_381_220,
    connections_made: 204,
    connections_reused: 48_009,
    ...more,
  };
}

// now: Unix seconds; changes: what was ordered, by "pool/server".
export function origins(now, scenario, changes) {
  const ago = (s) => new Date((now - s) * 1000).toISOString();
  const passed = (s, ms) => ({ time: ago(s), result: 'passed', detail: '200', ms });
  if (scenario === 'empty') {
    return { pools: [] };
  }
  const bad = scenario === 'problems';
  const app = [
    server('app-1', 'http://10.0.4.11:8080', {
      since: ago(273_912),
      last_check: passed(2, 1.9),
      max: 200,
      addresses: ['10.0.4.11'],
    }),
    server('app-2', 'http://app-2.internal:8080', {
      since: ago(5_400),
      last_check: passed(1, 2.4),
      max: 200,
      addresses: ['10.0.4.12', 'fd00:4::12'],
    }),
    server('app-3', 'http://10.0.4.13:8080', {
      last_check: bad ? { time: ago(3), result: 'failed', detail: 'connect timed out', ms: 2000 } : passed(3, 2.2),
      ...(bad
        ? {
            state: 'down',
            reason: '3 checks failed: connect timed out after 2 s',
            since: ago(741),
            active: 0,
            requests_per_s: 0,
            errors_last_minute: 17,
            errors: { connect_timeout: 1240, first_byte_timeout: 48 },
            first_byte_p50_ms: null,
            first_byte_p95_ms: null,
            ejections: 4,
          }
        : { since: ago(273_912) }),
    }),
    server('spare', 'http://10.0.9.1:8080', {
      backup: true,
      active: 0,
      requests: 0,
      requests_per_s: 0,
      last_check: passed(4, 3.1),
      first_byte_p50_ms: null,
      first_byte_p95_ms: null,
      bytes: 0,
    }),
  ];
  const media = [
    server('media-1', 'https://media.internal', { checks: false, first_byte_p95_ms: 212.9, since: ago(900) }),
    server('media-2', 'https://media-2.internal', {
      state: 'maintenance',
      reason: 'new disks',
      by: 'token:ops',
      since: ago(1_260),
      checks: false,
      active: 0,
      requests_per_s: 0,
      ...(bad ? { resolve_error: 'no such name' } : {}),
    }),
  ];
  const pools = [pool('app', ['www.shop.example', 'shop.example'], app), pool('media', ['media.shop.example'], media)];
  for (const one of pools) {
    for (const each of one.servers) {
      Object.assign(each, changes.get(`${one.name}/${each.name}`) ?? {});
    }
    count(one);
  }
  return { pools };
}

function pool(name, sites, servers) {
  return {
    name,
    sites,
    balance: 'least connections',
    active: servers.reduce((sum, s) => sum + s.active, 0),
    up: 0,
    warning: '',
    retries: name === 'app' ? 31 : 0,
    retries_refused: name === 'app' ? 4 : 0,
    queue: {
      waiting: 0,
      size: 1000,
      timeout_s: 5,
      waited: name === 'app' ? 48 : 0,
      refused_full: 0,
      refused_late: name === 'app' ? 2 : 0,
      refused_down: 0,
      full_at: null,
    },
    servers,
  };
}

function count(one) {
  const asked = one.servers.filter((s) => s.state === 'up' || s.state === 'trial');
  one.up = asked.length;
  one.warning = one.up > 0 ? '' : `no server of pool ${one.name} is left: visitors get stale copies, then 503`;
  for (const each of asked) {
    each.is_last = one.up === 1;
  }
}

// POST /origins/POOL/SERVER[/check]; false: there is no such server.
export function originOrder(path, order, session, now, scenario, changes) {
  const [, , poolName, serverName, check] = path.split('/').map(decodeURIComponent);
  const found = origins(now, scenario, changes)
    .pools.find((p) => p.name === poolName)
    ?.servers.find((s) => s.name === serverName);
  if (found === undefined) {
    return false;
  }
  const time = new Date(now * 1000).toISOString();
  const key = `${poolName}/${serverName}`;
  const change =
    check === 'check'
      ? { last_check: { time: new Date().toISOString(), result: 'passed', detail: '200', ms: 1.2 } }
      : { state: order.state, reason: order.reason ?? '', by: `session:${session.name}`, since: time };
  changes.set(key, { ...changes.get(key), ...change });
  return true;
}

// GET /sites
export function sites(now, scenario, changes) {
  const off = { on: false, reason: '', since: null, by: '', retry_after_s: 300, cached: true };
  const one = (name, ...more) => ({ name, names: [name, ...more], maintenance: changes.get(`site ${name}`) ?? off });
  const list = [one('www.shop.example', 'shop.example'), one('media.shop.example'), one('*')];
  if (scenario === 'problems' && !changes.has('site media.shop.example')) {
    list[1].maintenance = {
      ...off,
      on: true,
      reason: 'moving to new disks',
      by: 'token:ops',
      since: new Date((now - 1_260) * 1000).toISOString(),
    };
  }
  return { sites: list };
}

// POST /sites/NAME/maintenance
export function siteOrder(path, order, session, now, changes) {
  const name = decodeURIComponent(path.split('/')[2]);
  changes.set(`site ${name}`, {
    on: order.on,
    reason: order.reason,
    by: order.on ? `session:${session.name}` : '',
    since: order.on ? new Date(now * 1000).toISOString() : null,
    retry_after_s: 300,
    cached: true,
  });
}

// The forward proxies of the stand-in server: rules, denials, tunnels, lists, and a test of an address.
const ALL = ['office', 'lab'];

const RULES = {
  office: [
    ['ads', 'deny ads host file:/etc/larder/blocked.txt reason="Blocked by policy"', 41, 0, 18_204],
    ['staff', 'allow staff group staff time "mon-fri 07:00-19:00"', 42, 184_211, 0],
    ['build', 'allow build client 10.8.0.0/16 host *.example.org port 443 8443', 43, 9_120, 0],
    ['intranet', 'allow intranet host intranet.example to private', 44, 0, 0],
    ['executables', 'deny executables type application/x-msdownload size >100M reason="Ask the help desk"', 45, 0, 12],
    ['private', null, null, 0, 214],
    ['login', null, null, 0, 61],
    ['end', null, null, 0, 902],
  ],
  lab: [
    ['mirrors', 'allow mirrors host deb.example.org registry.example.org', 71, 40_118, 0],
    ['end', null, null, 0, 44],
  ],
};

export function forwardsOf(scenario) {
  return scenario === 'no-forward' || scenario === 'empty' ? [] : scenario === 'one-forward' || scenario === 'quiet' ? ['office'] : ALL;
}

function rule([name, text, line, allowed, denied], quiet) {
  return {
    name,
    text,
    at: line === null ? null : `/etc/larder/larder.conf:${line}`,
    allowed: quiet ? 0 : allowed,
    denied: quiet ? 0 : denied,
  };
}

// moved: how far time went since the start, so that figures grow.
export function access(scenario, moved) {
  const quiet = scenario === 'quiet';
  const forward = (name, i) => {
    const rules = RULES[name].map((one) => rule(one, quiet));
    const sum = (of) => rules.reduce((all, one) => all + one[of], 0);
    return {
      name,
      at: `/etc/larder/larder.conf:${38 + 30 * i}`,
      listens: [`127.0.0.1:${3128 + i}`],
      requests: sum('allowed') + sum('denied') + (quiet ? 0 : Math.round(moved * (31 - 20 * i))),
      denied: sum('denied') + (quiet ? 0 : Math.round(moved * 2)),
      tunnels: quiet ? 0 : 311 - 290 * i,
      tunnels_total: quiet ? 0 : 52_118 + Math.round(moved),
      tunnel_bytes_to_client: quiet ? 0 : 91_238_122_000 + Math.round(moved * 12_400_000),
      tunnel_bytes_to_origin: quiet ? 0 : 2_118_220_400 + Math.round(moved * 220_000),
      challenges: quiet ? 0 : 48,
      logins_failed: quiet ? 0 : 13,
      logins_refused: 0,
      users_seen: quiet ? 0 : 84 - 80 * i,
      clients_seen: quiet ? 0 : 112 - 100 * i,
      rules,
    };
  };
  return { seen_s: 3600, forwards: forwardsOf(scenario).map(forward) };
}

const CASES = [
  ['ads', 'Blocked by policy', 'CONNECT', 'connect', 'metrics.tracker.example', 443, '', 403, 'anna'],
  ['end', 'no rule allows it', 'GET', 'http', 'games.example', 80, '/play?level=7', 403, 'bert'],
  ['private', 'the address is not public', 'CONNECT', 'connect', '10.20.0.7', 22, '', 403, ''],
  ['login', 'the name or the password is wrong', 'CONNECT', 'connect', 'www.example.org', 443, '', 407, ''],
  [
    'executables',
    'Ask the help desk',
    'GET',
    'http',
    'downloads.a-rather-long-name-for-a-host.example.org',
    8080,
    '/files/2026/11/installer-with-a-long-name-setup-64-bit.exe',
    403,
    'carla.von-und-zu-musterstadt@example.org',
  ],
  ['ads', 'Blocked by policy', 'GET', 'http', 'banner.ads.example', 80, '/b.gif', 403, 'anna'],
];

export function denials(query, scenario, now, extra) {
  const items = [];
  const forwards = forwardsOf(scenario);
  const total = scenario === 'quiet' || forwards.length === 0 ? 0 : 130;
  for (let id = total; id > 0; id--) {
    const [name, reason, method, scheme, host, port, path, status, user] = CASES[id % CASES.length];
    items.push({
      id,
      request_id: `4f1c90ab${id.toString(16).padStart(8, '0')}`,
      time: new Date((now - (total - id) * 7) * 1000).toISOString(),
      forward: forwards[id % 11 === 0 ? forwards.length - 1 : 0],
      client: id % 4 === 0 ? '2001:db8:20:4::1f' : `10.8.${id % 3}.${id % 200}`,
      user,
      method,
      scheme,
      host,
      port,
      path,
      status,
      rule: name,
      reason,
    });
  }
  const wanted = (one) =>
    ['forward', 'rule', 'client'].every((key) => !query.get(key) || query.get(key) === one[key]) &&
    (!query.get('host') || one.host === query.get('host') || one.host.endsWith(`.${query.get('host')}`)) &&
    (!query.get('cursor') || one.id < Number(query.get('cursor')));
  const found = [...extra, ...items].filter(wanted);
  const limit = Number(query.get('limit') ?? 50);
  const page = found.slice(0, limit);
  return { seen: total + extra.length, kept: 1000, items: page, next: found.length > limit ? String(page.at(-1).id) : null };
}

export function tunnels(query, scenario, now) {
  const hosts = ['www.example.org', 'video.example', 'mail.example.org', 'registry.example.org', '2001:db8::42'];
  const quiet = scenario === 'quiet' || forwardsOf(scenario).length === 0;
  const items = quiet
    ? []
    : hosts.map((host, i) => ({
        id: `00000000000000a${i}`,
        forward: 'office',
        client: `10.8.1.${20 + i}`,
        user: i % 2 === 0 ? 'anna' : '',
        host,
        port: 443,
        rule: 'staff',
        since: new Date((now - 9000 / (i + 1)) * 1000).toISOString(),
        age_s: 9000 / (i + 1),
        bytes_to_client: 1000 * 41 ** (i % 4) + 17,
        bytes_to_origin: 20_300 * (i + 1),
      }));
  const by = query.get('by') ?? 'age';
  const bytes = (one) => one.bytes_to_client + one.bytes_to_origin;
  items.sort((a, b) => (by === 'age' ? b.age_s - a.age_s : bytes(b) - bytes(a)));
  return { open: quiet ? 0 : 332, complete: true, by, items };
}

const WHO = {
  destinations: ['www.example.org', 'deb.example.org', 'video.example', 'metrics.tracker.example', 'games.example'],
  users: ['anna', 'bert', 'carla.von-und-zu-musterstadt@example.org'],
  clients: ['10.8.0.12', '10.8.1.77', '2001:db8:20:4::1f'],
};
const KEYS = { destinations: 'host', users: 'user', clients: 'client' };

export function accessList(list, query, scenario, now) {
  const by = query.get('by') ?? 'requests';
  const quiet = scenario === 'quiet' || forwardsOf(scenario).length === 0;
  const items = (quiet ? [] : WHO[list]).map((name, i) => ({
    forward: 'office',
    [KEYS[list]]: name,
    requests: Math.round(48_000 / (i + 1)),
    denied: i >= 2 ? 210 * i : 0,
    tunnels: Math.round(1200 / (i + 1)),
    bytes: 90_000_000_000 / 7 ** i,
    bytes_to_client: 88_000_000_000 / 7 ** i,
    last: new Date((now - 4 * i) * 1000).toISOString(),
  }));
  items.sort((a, b) => b[by] - a[by]);
  return { by, window_s: 4210, error_bound: quiet ? 0 : 2, items: items.filter((one) => one[by] > 0) };
}

export function quotas(scenario) {
  const quiet = scenario === 'quiet' || forwardsOf(scenario).length === 0;
  const row = (who, key, used, limit) => ({
    forward: 'office',
    name: 'monthly',
    per: 'month',
    key,
    who,
    used_bytes: used,
    limit_bytes: limit,
    ends_at: '2026-12-01T00:00:00.000Z',
  });
  const GIB = 1024 ** 3;
  return {
    total: quiet ? 0 : 84,
    items: quiet ? [] : [row('bert', 'user', 50 * GIB, 50 * GIB), row('anna', 'user', 21.4 * GIB, 50 * GIB), row('', 'all', 612 * GIB, 2048 * GIB)],
  };
}

// What the real program says of such a question; null: problem 422.
export function accessTest(question) {
  const { client, url, user = '' } = question;
  if (!/^[0-9a-f.:]+$/.test(client)) {
    return null;
  }
  const answer = {
    forward: question.forward ?? 'office',
    answer: 'allow',
    rule: 'staff',
    reason: '',
    text: RULES.office[1][1],
    at: '/etc/larder/larder.conf:42',
    client,
    user,
    method: url.startsWith('http:') ? 'GET' : 'CONNECT',
    scheme: url.startsWith('http:') ? 'http' : 'connect',
    host: url.replace(/^\w+:\/\//, '').replace(/[:/].*$/, ''),
    port: url.startsWith('http:') ? 80 : 443,
    path: '',
    asks_response: true,
    lookup: '',
    addresses: [{ address: '203.0.113.7', answer: 'allow', rule: 'staff', reason: '', text: null, at: null }],
  };
  if (url.includes('tracker')) {
    Object.assign(answer, {
      answer: 'deny',
      rule: 'ads',
      reason: 'Blocked by policy',
      text: RULES.office[0][1],
      at: '/etc/larder/larder.conf:41',
      asks_response: false,
      lookup: 'not looked up: the request is denied before',
      addresses: [],
    });
  } else if (url.includes('rebind')) {
    answer.addresses.push({
      address: '127.0.0.1',
      answer: 'deny',
      rule: 'private',
      reason: 'the address is not public',
      text: null,
      at: null,
    });
  }
  return answer;
}

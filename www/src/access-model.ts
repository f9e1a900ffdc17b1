// What the page of the forward proxies shows, as pure functions of the server's answers.
import type { Access, AccessAnswer, AccessForward, AccessRule, Denial } from './api';
import * as f from './format';

// Sums of the proxies looked at, and when they were read (seconds).
export interface AccessSum {
  at: number;
  requests: number;
  denied: number;
  tunnels: number;
  tunnelsTotal: number;
  tunnelBytes: number;
}

export function accessChosen(access: Access | null, forward: string): AccessForward[] {
  return (access?.forwards ?? []).filter((one) => forward === '' || one.name === forward);
}

export function accessSum(forwards: readonly AccessForward[], at: number): AccessSum {
  const sum = (of: (one: AccessForward) => number): number => forwards.reduce((all, one) => all + of(one), 0);
  return {
    at,
    requests: sum((one) => one.requests),
    denied: sum((one) => one.denied),
    tunnels: sum((one) => one.tunnels),
    tunnelsTotal: sum((one) => one.tunnels_total),
    tunnelBytes: sum((one) => one.tunnel_bytes_to_client + one.tunnel_bytes_to_origin),
  };
}

// How fast a figure grows; null when that cannot be said: the first reading, or the daemon is a new one.
export function accessRate(
  before: AccessSum | null,
  now: AccessSum | null,
  figure: 'requests' | 'denied' | 'tunnelBytes',
): number | null {
  if (before === null || now === null || now.at <= before.at || now[figure] < before[figure]) {
    return null;
  }
  return (now[figure] - before[figure]) / (now.at - before.at);
}

export function accessShare(sum: AccessSum | null): number | null {
  return sum === null || sum.requests === 0 ? null : Math.min(1, sum.denied / sum.requests);
}

export interface RuleRow extends AccessRule {
  forward: string;
}

// In the order of the file, then what is built in and has decided at least once.
export function ruleRows(forwards: readonly AccessForward[]): RuleRow[] {
  return forwards.flatMap((one) =>
    one.rules
      .filter((rule) => rule.at !== null || rule.text !== null || rule.allowed + rule.denied > 0)
      .map((rule) => ({ ...rule, forward: one.name })),
  );
}

// What stands in for a rule, in words.
const BUILT_IN: Record<string, string> = {
  private: 'not a public address',
  port: 'not a usual port',
  self: 'Larder itself',
  end: 'no rule holds',
  login: 'a wrong name or password',
  limit: 'a limit of the block',
  quota: 'a quota is used up',
};

export function ruleText(rule: AccessRule): string {
  return rule.text ?? BUILT_IN[rule.name] ?? '';
}

// An IPv6 address stands in brackets before its port (RFC 3986 3.2.2).
function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function tunnelTarget(tunnel: { host: string; port: number }): string {
  return `${hostText(tunnel.host)}:${tunnel.port}`;
}

export function denialTarget(denial: Denial): { host: string; path: string } {
  const host = hostText(denial.host);
  const usual = (denial.scheme === 'http' && denial.port === 80) || (denial.scheme === 'https' && denial.port === 443);
  const port = usual || denial.port === 0 ? '' : `:${denial.port}`;
  return denial.scheme === 'connect'
    ? { host: `${host}${port}`, path: '' }
    : { host: `${denial.scheme}://${host}${port}`, path: denial.path };
}

// New ones in front of those shown, each once, and no more than fit.
export function denialsMerge(shown: readonly Denial[], fresh: readonly Denial[], most: number): Denial[] {
  const known = new Set(fresh.map((one) => one.id));
  return [...fresh, ...shown.filter((one) => !known.has(one.id))].sort((a, b) => b.id - a.id).slice(0, most);
}

export function answerSentence(answer: AccessAnswer): string {
  const by = answer.rule === '' ? '' : ` by “${answer.rule}”`;
  switch (answer.answer) {
    case 'allow':
      return `Allowed${by}`;
    case 'deny':
      return `Denied${by}`;
    case 'unknown':
      return 'It depends on an address that is not known';
  }
}

export function testFault(client: string, url: string): string | null {
  if (client.trim() === '') {
    return 'Who asks? Write an address, like 10.1.2.3.';
  }
  if (url.trim() === '') {
    return 'What for? Write a URL, or HOST:PORT for a tunnel.';
  }
  return null;
}

export function ago(rfc3339: string | null, now: number): string {
  const at = rfc3339 === null ? null : f.unixOf(rfc3339);
  return at === null ? f.NONE : `${f.duration(Math.max(0, now - at))} ago`;
}

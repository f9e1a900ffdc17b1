// The frame around every page: top bar, problem strip, and the state of the connection.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Problem, Session, Status } from './api';
import * as f from './format';
import type { Health } from './live';
import { isOfOrigins, whoOf } from './model';
import { Mark, ProblemText, Segments } from './parts';
import type { Theme } from './theme';

const THEMES: readonly { key: Theme; label: ComponentChildren; hint: string }[] = [
  {
    key: 'auto',
    hint: 'Theme of the system',
    label: (
      <>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="5.5" />
          <path class="solid" d="M8 2.5a5.5 5.5 0 0 1 0 11z" />
        </svg>
        <span class="hidden">Auto theme</span>
      </>
    ),
  },
  {
    key: 'light',
    hint: 'Light theme',
    label: (
      <>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="3" />
          <path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M3 13l1.4-1.4M11.6 4.4 13 3" />
        </svg>
        <span class="hidden">Light theme</span>
      </>
    ),
  },
  {
    key: 'dark',
    hint: 'Dark theme',
    label: (
      <>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M13 9.8A5.5 5.5 0 0 1 6.2 3a5.5 5.5 0 1 0 6.8 6.8z" />
        </svg>
        <span class="hidden">Dark theme</span>
      </>
    ),
  },
];

function healthWords(health: Health): { word: string; long: string } {
  switch (health.kind) {
    case 'live':
      return { word: 'Live', long: 'Live' };
    case 'polling':
      return { word: 'Every 2 s', long: 'The stream is not to be had; asking every two seconds' };
    case 'stale':
      return {
        word: `Stale ${f.duration(health.seconds)}`,
        long: 'No news from the server: the numbers are stale',
      };
    case 'offline':
      return { word: 'No answer', long: 'No answer from the server' };
    case 'paused':
      return { word: 'Paused', long: 'Paused while hidden' };
    case 'ended':
      return { word: 'Signed out', long: 'The session has ended' };
    case 'connecting':
      return { word: 'Connecting', long: 'Connecting' };
  }
}

// What is seen counts the seconds; what is announced changes with the state only.
function LiveSign({ health }: { health: Health }) {
  const { word, long } = healthWords(health);
  return (
    <div class={`live live-${health.kind}`}>
      <span class="lamp" aria-hidden="true" />
      <span aria-hidden="true" title={long}>
        {word}
      </span>
      <span class="hidden" role="status">
        {long}
      </span>
    </div>
  );
}

function Account({
  session,
  status,
  onSignOut,
}: {
  session: Session;
  status: Status | null;
  onSignOut: () => void;
}) {
  const ref = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event): void => {
      const menu = ref.current;
      if (menu === null || !menu.open) {
        return;
      }
      const escape = event instanceof KeyboardEvent && event.key === 'Escape';
      if (escape) {
        menu.querySelector('summary')?.focus();
      }
      if (
        escape ||
        (event.type === 'click' && event.target instanceof Node && !menu.contains(event.target))
      ) {
        menu.open = false;
      }
    };
    addEventListener('click', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('click', close);
      removeEventListener('keydown', close);
    };
  }, []);
  return (
    <details class="account" ref={ref}>
      <summary>{whoOf(session.name)}</summary>
      <div class="menu">
        <dl class="facts">
          <div>
            <dt>scopes</dt>
            <dd>{session.scopes.join(', ')}</dd>
          </div>
          {status !== null && (
            <>
              <div>
                <dt>version</dt>
                <dd>{status.version}</dd>
              </div>
              <div>
                <dt>up for</dt>
                <dd>{f.duration(status.uptime_s)}</dd>
              </div>
              <div>
                <dt>workers</dt>
                <dd>{f.exact(status.workers)}</dd>
              </div>
              {(status.config.file ?? '') !== '' && (
                <div>
                  <dt>config</dt>
                  <dd class="path">{status.config.file}</dd>
                </div>
              )}
            </>
          )}
        </dl>
        <button type="button" onClick={onSignOut}>
          Sign out
        </button>
        <a class="note" href="licences.txt">
          Licences
        </a>
      </div>
    </details>
  );
}

const STRIP_LINES = 3;

function ProblemStrip({ problems, page }: { problems: Problem[]; page: string }) {
  if (problems.length === 0) {
    return null;
  }
  const more = problems.length - STRIP_LINES;
  return (
    <section class="strip" aria-label="Problems now">
      <ul>
        {problems.slice(0, STRIP_LINES).map((p) => (
          <li key={p.event + p.text} class={`level-${p.level}`}>
            <span class="level">{p.level === 'error' ? 'Error' : 'Warning'}</span>
            <ProblemText problem={p}>{isOfOrigins(p) && <a href="#/origins">Origins</a>}</ProblemText>
          </li>
        ))}
      </ul>
      {more > 0 && (
        <p class="note">
          and {f.plural(more, 'more problem')}{' '}
          {page === 'overview' ? 'below' : <a href="#/overview">on the overview</a>}
        </p>
      )}
    </section>
  );
}

interface Props {
  page: string;
  session: Session;
  status: Status | null;
  health: Health;
  problems: Problem[];
  originFaults: number;
  theme: Theme;
  onTheme: (theme: Theme) => void;
  onSignOut: () => void;
  children: ComponentChildren;
}

export function Shell({
  page,
  session,
  status,
  health,
  problems,
  originFaults,
  theme,
  onTheme,
  onSignOut,
  children,
}: Props) {
  const main = useRef<HTMLElement>(null);
  const dim = health.kind === 'stale' || health.kind === 'offline' || health.kind === 'ended';
  const link = (key: string, label: string, faults = 0) => (
    <a href={`#/${key}`} aria-current={page === key ? 'page' : undefined}>
      {label}
      {faults > 0 && (
        <span class="badge">
          {f.exact(faults)}
          <span class="hidden"> {faults === 1 ? 'problem' : 'problems'}</span>
        </span>
      )}
    </a>
  );
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to content
      </a>
      <header class="bar">
        <div class="brand">
          <Mark />
          <span class="product">Larder</span>
          <span class="host">{status?.host ?? location.hostname}</span>
        </div>
        <nav aria-label="Pages">
          {link('overview', 'Overview')}
          {link('origins', 'Origins', originFaults)}
          {(status?.forwards ?? []).length > 0 && link('access', 'Access')}
          {link('purge', 'Purge')}
        </nav>
        <LiveSign health={health} />
        <Segments name="theme" legend="Theme" items={THEMES} value={theme} onChange={onTheme} />
        <Account session={session} status={status} onSignOut={onSignOut} />
      </header>
      <main id="main" tabIndex={-1} ref={main} class={dim ? 'dim' : ''}>
        <ProblemStrip problems={problems} page={page} />
        {status === null && health.kind === 'offline' && (
          <section class="panel first" role="alert">
            <h2>No answer from the admin server</h2>
            <p>
              This page asks again by itself. Is Larder running, and may this browser reach {location.host}?
            </p>
          </section>
        )}
        {children}
      </main>
    </>
  );
}

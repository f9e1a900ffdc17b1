// The first page: tiles, charts over a chosen range, top URLs, recent problems.
import { useState } from 'preact/hooks';
import type { Api, Problem, Range } from './api';
import { StackChart } from './charts';
import * as f from './format';
import { isQuiet, RANGES, RESULTS, seriesOf, SOURCES, tilesOf } from './model';
import type { Model, Series } from './model';
import { OriginsHealth } from './origins';
import { ProblemText, Segments, usePolled } from './parts';
import { Tiles, TilesLoading } from './tiles';
import { TopUrls } from './top';

// Five minutes come with the stream; longer ranges are asked for, as often as they gain a step.
function useSeries(
  api: Api,
  range: Range,
  recent: Series | null,
  active: boolean,
): { series: Series | null; error: string; retry: () => void } {
  const asked = range !== '5m';
  const { data, error, again } = usePolled(
    () => api.stats(range).then(seriesOf),
    range === '1h' ? 10_000 : 60_000,
    active && asked,
    range,
  );
  return asked ? { series: data, error, retry: again } : { series: recent, error: '', retry: () => undefined };
}

function RecentProblems({ problems, now }: { problems: Problem[] | null; now: number }) {
  const sorted = (problems ?? [])
    .filter((p) => p.now !== true) // those are in the strip
    .sort((a, b) => (f.unixOf(b.last) ?? 0) - (f.unixOf(a.last) ?? 0))
    .slice(0, 20);
  return (
    <section class="panel" id="problems" aria-labelledby="problems-title">
      <header class="panel-head">
        <h2 id="problems-title">Recent problems</h2>
      </header>
      {problems === null && <div class="skeleton block" />}
      {problems !== null && sorted.length === 0 && (
        <p class="blank">None. Warnings and errors would be listed here.</p>
      )}
      {sorted.length > 0 && (
        <ol class="problems">
          {sorted.map((p) => (
            <li key={p.event + p.text} class={`level-${p.level}`}>
              <span class="level">{p.level === 'error' ? 'Error' : 'Warning'}</span>
              <ProblemText problem={p} />
              <span class="note">
                <time dateTime={p.last} title={f.utc(p.last)}>
                  {f.when(p.last, now)}
                </time>
                {p.count > 1 && ` · ${f.exact(p.count)} times`}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function FirstRequest() {
  return (
    <section class="panel first" aria-labelledby="first-title">
      <h2 id="first-title">Nothing has come through yet</h2>
      <p>Send a request through the proxy and watch it arrive here; the second one is a hit:</p>
      <pre tabIndex={0}>
        <code>curl -i http://{location.hostname}:8080/</code>
      </pre>
      <p class="note">The port is the one that “listen” names in the configuration.</p>
    </section>
  );
}

interface OverviewProps {
  api: Api;
  model: Model;
  drawn: string;
  active: boolean;
  canPurge: boolean;
  onPurge: (url: string) => void;
}

export function Overview({ api, model, drawn, active, canPurge, onPurge }: OverviewProps) {
  const [range, setRange] = useState<Range>('5m');
  const { series, error, retry } = useSeries(api, range, model.recent, active);
  return (
    <>
      <h1 class="hidden">Overview</h1>
      {model.status === null ? <TilesLoading /> : <Tiles tiles={tilesOf(model)} />}
      {isQuiet(model) && <FirstRequest />}
      <div class="range-bar">
        <p class="note">{RANGES.find((r) => r.key === range)?.long}</p>
        <Segments name="range" legend="Range" items={RANGES} value={range} onChange={setRange} />
      </div>
      {error !== '' && (
        <p class="inline-error" role="alert">
          This range could not be read: {error}{' '}
          <button type="button" class="small" onClick={retry}>
            Retry
          </button>
        </p>
      )}
      <div class="charts">
        <StackChart
          title="Requests by result"
          series={series}
          failed={error !== ''}
          kinds={RESULTS}
          format={f.rate}
          theme={drawn}
        />
        <StackChart
          title="Bytes to clients"
          series={series}
          failed={error !== ''}
          kinds={SOURCES}
          format={f.byteRate}
          isBytes
          theme={drawn}
        />
      </div>
      <div class="lower">
        <TopUrls api={api} live={model.top} active={active} canPurge={canPurge} onPurge={onPurge} />
        <div class="aside-panels">
          <OriginsHealth origins={model.origins} now={model.now} />
          <RecentProblems problems={model.status?.problems ?? null} now={model.now} />
        </div>
      </div>
    </>
  );
}

// An open-model stream of requests through every tier: each is sent when it is due, whatever earlier responses take,
// and time spent waiting for a connection counts (no coordinated omission). In the environment: PLAN, the plan's
// path; TARGET, base URL of the web tier; TRACE, 16 hexadecimal digits that the run's trace ids start with; COLUMNS,
// the columns of a sample. Logs one line `started,<unix seconds>`, and one line of CSV for each request.
import exec from 'k6/execution';
import http from 'k6/http';
import { sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { dueTimes } from './arrivals.js';
import { KINDS, choices, expectedStatus } from './choices.js';
import { moment } from './clock.js';

const plan = JSON.parse(open(__ENV.PLAN));
const target = __ENV.TARGET;
const trace = __ENV.TRACE;
const columns = __ENV.COLUMNS.split(',');

const repeats = plan.run === '';
const TIMEOUT = 10000; // ms
const HEAD_START = 200; // ms between setup and the first request, so that every virtual user is running
const GRACE = 1000; // ms after a run's end in which requests are still sent
// A plan that repeats has no end: without this limit, an hour's outage would be followed by an hour's backlog.
const LATEST = 60000; // ms
const EARLY = 1; // ms
const FOREVER = '87600h';

export const options = {
  discardResponseBodies: true,
  // No tag may have a different value for each request: k6 would keep a series for each.
  systemTags: ['status', 'name', 'scenario'],
  scenarios: {
    stream: {
      executor: 'shared-iterations',
      vus: repeats ? plan.concurrency : Math.min(plan.concurrency, plan.arrivals),
      iterations: repeats ? Number.MAX_SAFE_INTEGER : plan.arrivals,
      maxDuration: repeats ? FOREVER : `${HEAD_START + plan.seconds * 1000 + GRACE}ms`,
      gracefulStop: `${TIMEOUT + 1000}ms`,
    },
  },
};

const totalTime = new Trend('total_time', true);
const waitTime = new Trend('wait_time', true);
const clientTime = new Trend('client_time', true);
const applicationTime = new Trend('application_time', true);
const databaseTime = new Trend('database_time', true);
const unexpected = new Rate('unexpected_answers');

const due = dueTimes(plan);
const choose = choices(plan);
const callbacks = Object.fromEntries(KINDS.map((kind) => [kind, http.expectedStatuses(expectedStatus(kind))]));
const last = repeats ? Infinity : plan.seconds * 1000 + GRACE;

// Milliseconds of each part in a Server-Timing header.
const TIMING = /([a-z]+);dur=([0-9.]+)/g;
function serverTiming(header) {
  const parts = {};
  for (const [, part, duration] of (header || '').matchAll(TIMING)) parts[part] = Number(duration);
  return parts;
}

const text = (milliseconds) => (milliseconds === undefined ? '' : milliseconds.toFixed(3));

function send({ kind, path, body, trace: low, sampled }) {
  const parameters = {
    headers: { traceparent: `00-${trace}${low}-${low}-${sampled ? '01' : '00'}` },
    tags: { name: kind },
    responseCallback: callbacks[kind],
    timeout: TIMEOUT,
  };
  if (body === null) return http.get(`${target}/api/v1/${path}`, parameters);
  parameters.headers['Content-Type'] = 'application/json';
  return http.post(`${target}/api/v1/${path}`, body, parameters);
}

export function setup() {
  const { unix, from } = moment();
  console.log(`started,${((unix + HEAD_START) / 1000).toFixed(6)}`);
  return { origin: from + HEAD_START };
}

export default function ({ origin }) {
  const clock = () => exec.instance.currentTestRunDuration - origin;
  const number = exec.scenario.iterationInTest;
  const scheduled = due(number);
  const taken = clock();
  if (taken > (repeats ? scheduled + LATEST : last)) return;
  if (scheduled > taken) sleep((scheduled - taken) / 1000);
  const woken = clock();
  if (woken < scheduled - EARLY) return; // k6 is stopping, which interrupts every sleep
  const request = choose(number);
  const response = send(request);
  const finished = clock();
  const { blocked, duration } = response.timings;
  const parts = serverTiming(response.headers['Server-Timing']);
  // Blocked is the time until there was a connection, including the connect of a new one; on a busy machine k6 counts a
  // part of it again as sending. Without a response k6's times are incomplete.
  const client = Math.min(response.status ? blocked + duration : Infinity, finished - woken);
  // k6 prepares the request before its clocks start, and does little after they stop.
  const sent = finished - client;
  // A late timer is the generator's own delay, not a wait for a connection: it is in sent - due alone.
  const wait = taken > scheduled ? woken - scheduled : 0;
  const good = response.status === expectedStatus(request.kind);
  const sample = {
    number,
    due: text(scheduled),
    sent: text(sent),
    wait: text(wait),
    client_connect: text(blocked),
    client: text(client),
    app: text(parts.app),
    pool: text(parts.pool),
    database_connect: text(parts.connect),
    db: text(parts.db),
    status: response.status,
    // k6 has an error for every status from 400 on, expected or not.
    error: good ? 0 : response.error_code,
    good: good ? 1 : 0,
    kind: request.kind,
    trace: request.trace,
  };
  console.log(columns.map((column) => sample[column]).join(','));
  totalTime.add(Math.max(0, sent - scheduled) + client);
  waitTime.add(wait);
  clientTime.add(client);
  if (parts.app !== undefined) applicationTime.add(parts.app);
  if (parts.db !== undefined) databaseTime.add(parts.db);
  unexpected.add(!good);
}

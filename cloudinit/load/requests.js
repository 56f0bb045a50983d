// A steady, open-model stream of requests through every tier. PLAN is the path of the plan, TARGET the web tier.
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';

const plan = JSON.parse(open(__ENV.PLAN));
const target = __ENV.TARGET;

// k6 keeps every sample for its percentiles: this many requests take some 100 MB.
const REQUESTS_A_RUN = 500000;

const clientTime = new Trend('client_time', true);
const applicationTime = new Trend('application_time', true);
const databaseTime = new Trend('database_time', true);
const unexpected = new Rate('unexpected_answers');
const answers = new Counter('answers');

export const options = {
  discardResponseBodies: true,
  // No tag may have a value of its own for each request: k6 would keep a series for each.
  systemTags: ['status', 'name', 'scenario'],
  scenarios: {
    stream: {
      executor: 'constant-arrival-rate',
      rate: plan.rps,
      timeUnit: '1s',
      duration: `${Math.max(60, Math.floor(REQUESTS_A_RUN / plan.rps))}s`,
      preAllocatedVUs: plan.concurrency,
      maxVUs: plan.concurrency,
      gracefulStop: '5s',
    },
  },
};

const HOT_ACCOUNT = 1;
const requestKinds = {
  random: { expected: 200, account: () => 1 + Math.floor(Math.random() * plan.accounts) },
  hot: { expected: 200, account: () => HOT_ACCOUNT },
  missing: { expected: 404, account: () => plan.accounts + 1 + Math.floor(Math.random() * plan.accounts) },
};
for (const [name, kind] of Object.entries(requestKinds)) {
  kind.name = name;
  kind.weight = plan.mix[name];
  kind.callback = http.expectedStatuses(kind.expected);
}
const kinds = Object.values(requestKinds);
const totalWeight = kinds.reduce((sum, kind) => sum + kind.weight, 0);

function pickKind() {
  let left = Math.random() * totalWeight;
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return kinds[0];
}

function randomHex(bytes) {
  let text = '';
  for (let i = 0; i < bytes; i += 1) text += Math.floor(Math.random() * 256).toString(16).padStart(2, '0');
  return text;
}

// W3C Trace Context: version, trace id, span id, sampled.
const traceparent = () => `00-${randomHex(16)}-${randomHex(8)}-01`;

// Milliseconds of one part in a Server-Timing header, or undefined.
function serverTiming(header, part) {
  const found = new RegExp(`(?:^|,)\\s*${part};dur=([0-9.]+)`).exec(header || '');
  return found ? Number(found[1]) : undefined;
}

export default function () {
  const kind = pickKind();
  const answer = http.get(`${target}/api/v1/accounts/${kind.account()}`, {
    headers: { traceparent: traceparent() },
    tags: { name: kind.name },
    responseCallback: kind.callback,
    timeout: '10s',
  });
  answers.add(1);
  const good = answer.status === kind.expected;
  unexpected.add(!good);
  if (!good) return;
  const header = answer.headers['Server-Timing'];
  // With the time to get a connection: the person waiting for the answer waits for that too.
  clientTime.add(answer.timings.blocked + answer.timings.connecting + answer.timings.duration);
  const application = serverTiming(header, 'app');
  const database = serverTiming(header, 'db');
  if (application !== undefined) applicationTime.add(application);
  if (database !== undefined) databaseTime.add(database);
}

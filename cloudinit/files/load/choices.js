// What each request of a plan asks for: a function of the plan's seed and the request's number alone, so that two runs
// with the same seed send the same requests in the same order, whichever connection sends which.

const HOT_ACCOUNT = 1;
const ACCOUNTS_A_BRANCH = 100000;
const LARGEST_DELTA = 5000;

// What each hash is used for: the choices of one request must be independent.
const Use = { KIND: 1, ACCOUNT: 2, DELTA: 3, TRACE_HIGH: 4, TRACE_LOW: 5 };

// MurmurHash3's finalizer: every bit of the input affects every bit of the output.
function mixed(value) {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// Returns a 32-bit integer.
function hash32(seed, number, use) {
  const high = Math.floor(number / 2 ** 32);
  return mixed(mixed(mixed(mixed(seed) + use) ^ number) + high);
}

const hexadecimal = (value) => value.toString(16).padStart(8, '0');

const kinds = {
  random: { expected: 200, path: (account) => `accounts/${account}` },
  hot: { expected: 200, path: () => `accounts/${HOT_ACCOUNT}` },
  missing: { expected: 404, path: (account, plan) => `accounts/${plan.accounts + account}` },
  slow: {
    expected: 200,
    path: (account, plan) => `branches/${1 + (account % Math.max(1, Math.floor(plan.accounts / ACCOUNTS_A_BRANCH)))}`,
  },
  write: {
    expected: 200,
    path: (account) => `accounts/${account}`,
    body: (share) => JSON.stringify({ delta: Math.floor(share * (2 * LARGEST_DELTA + 1)) - LARGEST_DELTA }),
  },
};

export const KINDS = Object.keys(kinds);
export const expectedStatus = (kind) => kinds[kind].expected;

// Returns a function from a request's number to {kind, path, body (null: a GET), trace (16 hexadecimal digits), sampled}.
export function choices(plan) {
  const total = KINDS.reduce((sum, kind) => sum + plan.mix[kind], 0);

  function kindAt(share) {
    let left = share * total;
    return KINDS.find((kind) => (left -= plan.mix[kind]) < 0);
  }

  return (number) => {
    const share = (use) => hash32(plan.seed, number, use) / 2 ** 32;
    const kind = kindAt(share(Use.KIND));
    const account = 1 + Math.floor(share(Use.ACCOUNT) * plan.accounts);
    const { path, body } = kinds[kind];
    const high = hash32(plan.seed, number, Use.TRACE_HIGH);
    return {
      kind,
      path: path(account, plan),
      body: body ? body(share(Use.DELTA)) : null,
      trace: hexadecimal(high) + hexadecimal(hash32(plan.seed, number, Use.TRACE_LOW)),
      sampled: high / 2 ** 32 < plan.sampled,
    };
  };
}

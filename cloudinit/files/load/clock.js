// JavaScript's clock shows the Unix time in whole milliseconds. k6's shows the time since the test began, exactly.
import exec from 'k6/execution';

const CLOSE = 0.05; // ms between k6's times before and after a tick of JavaScript's clock that are close enough
const TICKS = 50; // of that clock, after which the closest are good enough

// Returns one moment by both clocks: `unix`, a tick of JavaScript's, `from`, k6's time then, and how far `apart` k6's
// times before and after that tick are. A tick on which this process was paused would shift the spans of the whole run.
export function moment() {
  const running = () => exec.instance.currentTestRunDuration;
  let best = { apart: Infinity };
  for (let tick = 0; tick < TICKS && best.apart > CLOSE; tick += 1) {
    let earlier;
    let before;
    let from = running();
    let unix = Date.now();
    do {
      earlier = from;
      before = unix;
      from = running();
      unix = Date.now();
    } while (unix === before);
    const apart = running() - earlier;
    if (apart < best.apart) best = { unix, from, apart };
  }
  return best;
}

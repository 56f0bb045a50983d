-- Requests random accounts with a traceparent. Arguments: the share of sampled requests; a path to request instead.
local random, format = math.random, string.format

function init(args)
  sampled = tonumber(args[1]) or 0
  path = args[2]
  math.randomseed(os.time())
end

function request()
  local flags = random() < sampled and '01' or '00'
  local trace = format('%08x%08x%08x%08x', random(1, 0x7fffffff), random(0, 0x7fffffff), random(0, 0x7fffffff), random(0, 0x7fffffff))
  local span = format('%08x%08x', random(1, 0x7fffffff), random(0, 0x7fffffff))
  return wrk.format('GET', path or '/api/v1/accounts/' .. random(1, 1000000), { traceparent = format('00-%s-%s-%s', trace, span, flags), Host = wrk.host })
end

function done(summary, latency)
  local errors = summary.errors
  local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(format('result count %d', summary.requests))
  print(format('result microseconds %d', summary.duration))
  print(format('result wrong %d', wrong))
end

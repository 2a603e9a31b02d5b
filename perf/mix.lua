-- wrk's part of `cargo xtask bench`. Every request is made beforehand, over the contest's five
-- clientes; at the end there is one line of JSON. From the environment:
--   MIX   contest (220 debits : 110 credits : 10 extratos); writes (the same without extratos);
--         creditos (each request is a transacao that must be committed); extratos
--   SEED  a number: the same seed makes the same requests
--   CLIENTES, STEP  instead of the five, so many, STEP ids apart, drawn for each request

-- Of numbers up to the third, those up to the first are debits, up to the second credits, above
-- them extratos.
local mixes = {
  contest = { 220, 330, 340 }, writes = { 220, 330, 330 }, creditos = { 0, 1, 1 },
  extratos = { 0, 0, 1 },
}
local mix = mixes[os.getenv("MIX") or "contest"]
local seed = tonumber(os.getenv("SEED")) or 1
local clientes, step = tonumber(os.getenv("CLIENTES")), tonumber(os.getenv("STEP")) or 1
local threads = {}

function setup(thread)
  thread:set("number", #threads + 1)
  threads[#threads + 1] = thread
end

local PREPARED = 16384
local requests, rests, at = {}, {}, 0

function init()
  math.randomseed(seed * 1009 + number)
  local json = { ["Content-Type"] = "application/json" }
  for i = 1, PREPARED do
    local cliente, kind = clientes and "@" or math.random(1, 5), math.random(1, mix[3])
    if kind > mix[2] then
      requests[i] = wrk.format("GET", "/clientes/" .. cliente .. "/extrato")
    else
      local body = string.format('{"valor": %d, "tipo": "%s", "descricao": "%s"}',
        math.random(1, 10000), kind > mix[1] and "c" or "d", string.format("bench %04x", i))
      requests[i] = wrk.format("POST", "/clientes/" .. cliente .. "/transacoes", json, body)
    end
    if clientes then requests[i], rests[i] = requests[i]:match("^(.-)@(.*)$") end
  end
  at = math.random(0, PREPARED - 1)
  applied = 0
  statuses = {}
end

function request()
  at = at % PREPARED + 1
  if not clientes then return requests[at] end
  return requests[at] .. 1 + (math.random(clientes) - 1) * step .. rests[at]
end

-- wrk does not say which request was answered: a transacao's 200 begins as no extrato's does.
function response(status, _, body)
  statuses[status] = (statuses[status] or 0) + 1
  if status == 200 and body:sub(1, 10) == '{"limite":' then applied = applied + 1 end
end

function done(summary, latency)
  local applied_sum, sums, parts = 0, {}, {}
  for _, thread in ipairs(threads) do
    applied_sum = applied_sum + thread:get("applied")
    for status, count in pairs(thread:get("statuses")) do
      sums[status] = (sums[status] or 0) + count
    end
  end
  for status, count in pairs(sums) do
    parts[#parts + 1] = string.format('"%d":%d', status, count)
  end
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
    '"applied":%d,"socket_errors":%d,"statuses":{%s}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, applied_sum, errors.connect + errors.read + errors.write + errors.timeout,
    table.concat(parts, ",")))
end

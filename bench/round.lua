-- The job of bench/load.py for wrk: requests of a file, round and round, marks numbered anew.
local MARK = "@@@@@@@@@@@@"
local heads, tails, count, number = {}, {}, 0, 0
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  number = tonumber(args[2])
  local expected = file:read("*l")
  if expected ~= "2" then  -- wrk itself counts answers of 400 and more; looking at each costs time
    met = 0
    function response(status)
      if tostring(status):sub(1, #expected) == expected then met = met + 1 end
    end
  end
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    local whole = file:read(length)
    count = count + 1
    local from, to = whole:find(MARK, 1, true)
    heads[count] = from and whole:sub(1, from - 1) or whole
    tails[count] = from and whole:sub(to + 1) or false
  end
  file:close()
end

function request()
  number = number + 1
  local at = number % count + 1
  local tail = tails[at]
  if tail then
    return heads[at] .. string.format("%012d", number) .. tail
  end
  return heads[at]
end

function done(summary, latency, requests)
  local e = summary.errors
  local seconds = summary.duration / 1e6
  local answered = threads[1]:get("met") or summary.requests - e.status
  local failed = e.connect + e.read + e.write + e.timeout + summary.requests - answered
  print(string.format(
    '\n{"rate": %.3f, "p50": %.4f, "p99": %.4f, "answered": %d, "failed": %d, "seconds": %.4f}',
    answered / seconds, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    answered, failed, seconds))
end

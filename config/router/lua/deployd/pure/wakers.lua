-- Who wakes an environment that is asleep: people and programs that want something of it. Crawlers and monitors come for
-- ever, and would keep everything awake. The daemon counts visits by the same rule (deployd/upkeep/visits.py).
local _M = {}

local SEES_ONLY = { HEAD = true, OPTIONS = true, TRACE = true }
local CRAWLERS = { "bot", "crawl", "spider", "slurp", "archiver", "monitor", "uptime", "pingdom", "facebookexternalhit" }
local LOOKED_AT = 300  -- letters of a user agent

function _M.wakes(method, path, agent)
    if SEES_ONLY[method] or path == "/robots.txt" then
        return false
    end
    local name = string.lower(string.sub(agent or "", 1, LOOKED_AT))
    for _, crawler in ipairs(CRAWLERS) do
        if string.find(name, crawler, 1, true) then
            return false
        end
    end
    return true
end

return _M

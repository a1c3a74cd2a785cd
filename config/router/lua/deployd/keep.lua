-- Tells the cache how long an answer of a container is kept (pure/freshness.lua says). This runs in a server of its own
-- between the cache and the containers, because nginx reads the time to live before any Lua of the outer server sees the
-- answer: it is told by X-Accel-Expires.
--
-- What is not kept streams through unbuffered, as it does without a cache.
--
-- The web container repeats what the application itself said (deployd/release/applications/web_upstream.py). What that
-- forbids is not kept, whatever became of `Cache-Control` on the way.
local freshness = require "deployd.pure.freshness"

local _M = {}

local function until_expiry(expires)
    local at = ngx.parse_http_time(expires)
    return at and math.max(0, at - ngx.time()) or 0
end

-- Called when a container's answer begins.
function _M.decide()
    local header, by_default = ngx.header, tonumber(ngx.var.http_x_deployd_ttl) or 0
    local said = ngx.var.upstream_http_x_deployd_cache_control
    local kept = freshness.seconds(ngx.status, header, said, by_default, until_expiry)
    header["X-Accel-Expires"] = kept
    if kept > 0 and not header["Content-Length"] then
        ngx.ctx.bytes = 0
    end
    if kept == 0 then
        header["X-Accel-Buffering"] = "no"
    elseif header["Vary"] then
        header["Vary"] = freshness.without_encoding(header["Vary"])
    end
end

-- Called for each piece of it. Who says nothing of the length and sends without end would fill the run folder: that answer
-- is broken off, and the next one goes past the cache.
function _M.piece()
    local context = ngx.ctx
    if context.bytes then
        context.bytes = context.bytes + #ngx.arg[1]
        if context.bytes > freshness.LARGEST then
            return ngx.ERROR
        end
    end
end

return _M

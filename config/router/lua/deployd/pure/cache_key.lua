-- Which requests may be answered from the cache, and under which key. `var` is a request's variables, by nginx's names.
local _M = {}

-- What a route's cache needs to know, made once. nil: it has none. `compile` makes a pattern of an expression.
function _M.prepare(cache, environment, version, zone, compile)
    if not cache or not cache.enabled then
        return nil
    end
    local found = { environment = environment, zone = zone, prefix = environment .. "\t" .. version .. "\t",
                    ttl_seconds = cache.default_ttl_seconds,
                    headers = {}, names = {}, patterns = {}, counts_cookies = false, any_cookie = false }
    for _, name in ipairs(cache.headers) do
        found.headers[#found.headers + 1] = "http_" .. string.gsub(string.lower(name), "-", "_")
    end
    for _, name in ipairs(cache.cookies) do
        local expression = string.match(name, "^/(.+)/$")
        found.counts_cookies = true
        if name == "*" then
            found.any_cookie = true
        elseif expression then
            found.patterns[#found.patterns + 1] = compile(expression)
        else
            found.names[name] = true
        end
    end
    return found
end

-- A client's certificate says who asks, as `Authorization` does: what was made for its owner is for nobody else.
local function shows_certificate(var)
    local verified = var.deployd_client_verify
    return verified ~= "" and verified ~= "NONE"
end

-- Whether others may get the same answer.
function _M.may_be_shared(cache, var)
    local method = var.request_method
    return (method == "GET" or method == "HEAD")
        and not (var.http_authorization or var.http_range or var.http_upgrade
            or var.http_content_length or var.http_transfer_encoding or shows_certificate(var))
        and not string.find(var.http_accept or "", "text/event-stream", 1, true)
        and not (cache.any_cookie and var.http_cookie)
end

-- The cookies that count, in an order that does not depend on the client's; nil and the reason when that cannot be said.
local function cookies(cache, sent, matches, budget)
    local found = {}
    for cookie in string.gmatch(sent, "[^;]+") do   -- one at a time: to look for `=` from each letter on would take seconds
        local name, value = string.match(cookie, "^%s*([^=%s]+)=(.*)$")
        local does, reason
        if name then
            does = cache.names[name]
            if not does then
                does, reason = matches(cache.patterns, name, budget)
            end
        end
        if does then
            found[#found + 1] = name .. "=" .. value
        elseif reason then
            return nil, reason
        end
    end
    table.sort(found)
    return table.concat(found, ";")
end

-- A key with one value more. Its length stands in front: no value looks like two.
local function with(key, value)
    return key .. "\t" .. #value .. ":" .. value
end

-- The key begins with environment and version: environments share nothing, and a switch leaves the earlier answers
-- behind, unreachable. nil and the reason when it cannot be said.
--
-- `matches(patterns, name, budget)` is asked for a cookie that is not named: whether one of the patterns is about it, or nil
-- and the reason. The budget is what it may take for this request.
function _M.of(cache, scheme, url, var, matches, budget)
    local key = cache.prefix .. scheme .. "://" .. var.host .. url
    for _, header in ipairs(cache.headers) do
        key = with(key, var[header] or "")
    end
    local sent = cache.counts_cookies and var.http_cookie
    if not sent then
        return key
    end
    local counted, reason = cookies(cache, sent, matches, budget)
    if not counted then
        return nil, reason
    end
    return with(key, counted)
end

return _M

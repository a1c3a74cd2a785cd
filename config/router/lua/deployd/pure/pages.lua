-- The pages that the router answers itself: which there are, which one a request gets, and how one is put together.
local _M = {}

-- {name: after how many seconds a client may ask again, and whether the page does it itself}
_M.PAGES = {
    maintenance = { retry_after = 15, refreshes = true },
    crowded = { retry_after = 5, refreshes = true },
    waking = { retry_after = 3, refreshes = true },
    unwell = { retry_after = 30, refreshes = true },
    asleep = { retry_after = 3600 },
    starting = { retry_after = 2, refreshes = true },
    down = { retry_after = 5 },
    unknown = {},
    certificate = {},
    misdirected = {},
    password = {},
    forbidden = {},
    busy = { retry_after = 1 },
    pass = {},
    rules = {},
}

-- A page for people, of the layout of all pages and of a body that has its heading. `{{request}}` stays for later.
function _M.whole(layout, body, page)
    local values = {
        body = string.gsub(body, "([^\n]+)", "    %1"),
        title = string.match(body, "<h1>(.-)</h1>"),
        refresh = page.refreshes and '  <meta http-equiv="refresh" content="' .. page.retry_after .. '">\n' or "",
    }
    return (string.gsub(layout, "{{(%l+)}}", values))
end

-- Whether a request (`var` is its variables) wants JSON in place of a page for people.
function _M.wants_json(var)
    local accept = var.http_accept
    if accept and string.find(accept, "text/html", 1, true) then
        return false
    end
    if accept and string.find(accept, "[/+]json") then
        return true
    end
    local content_type = var.http_content_type
    return var.http_x_requested_with == "XMLHttpRequest"
        or (content_type ~= nil and string.find(content_type, "[/+]json") ~= nil)
end

-- The page for an error of nginx's own: one that no part of the router has chosen.
function _M.name_of(status, limit_conn_status)
    if status == 404 then
        return "unknown"
    elseif status == 429 then
        return "busy"
    end
    return limit_conn_status == "REJECTED" and "crowded" or "down"
end

return _M

-- The pages that the router answers itself, for people in HTML (each in layout.html) and for programs in JSON.
local settings = require "deployd.settings"

local PAGES = {
    maintenance = { retry_after = 15, refreshes = true },
    crowded = { retry_after = 5, refreshes = true },
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
local texts = {}

local _M = {}

local function read(name)
    local file = assert(io.open(settings.pages .. "/" .. name, "r"))
    local text = file:read("*a")
    file:close()
    return text
end

-- A page for people: its file has the heading and what follows it.
local function whole(layout, name, page)
    local body = read(name .. ".html")
    local values = {
        body = string.gsub(body, "([^\n]+)", "    %1"),
        title = string.match(body, "<h1>(.-)</h1>"),
        refresh = page.refreshes and '  <meta http-equiv="refresh" content="' .. page.retry_after .. '">\n' or "",
    }
    return (string.gsub(layout, "{{(%l+)}}", values))  -- {{request}} stays for later
end

-- Reads all pages; called once before the workers start.
function _M.read_all()
    local layout = read("layout.html")
    for name, page in pairs(PAGES) do
        texts[name] = { html = whole(layout, name, page), json = read(name .. ".json") }
    end
end

local function wants_json()
    local accept = ngx.var.http_accept
    if accept and string.find(accept, "text/html", 1, true) then
        return false
    end
    if accept and string.find(accept, "[/+]json") then
        return true
    end
    local content_type = ngx.var.http_content_type
    return ngx.var.http_x_requested_with == "XMLHttpRequest"
        or (content_type ~= nil and string.find(content_type, "[/+]json") ~= nil)
end

-- Ends the request with a page.
function _M.exit(name, status)
    ngx.var.deployd_page = name
    return ngx.exit(status)
end

-- The content of nginx's error pages.
function _M.send()
    local status = ngx.status
    local name = ngx.var.deployd_page
    if name == "" then
        name = status == 404 and "unknown" or status == 429 and "busy"
            or ngx.var.limit_conn_status == "REJECTED" and "crowded" or "down"
    end
    if name == "password" then
        ngx.header["WWW-Authenticate"] = 'Basic realm="This site is not open to everybody", charset="UTF-8"'
    end
    local json = wants_json()
    local text = json and texts[name].json or texts[name].html
    ngx.header["Content-Type"] = json and "application/json" or "text/html; charset=utf-8"
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Retry-After"] = PAGES[name].retry_after
    text = string.gsub(text, "{{request}}", ngx.var.deployd_request)
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end

return _M

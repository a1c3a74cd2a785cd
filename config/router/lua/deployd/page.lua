-- The pages that the router answers itself, for people in HTML (each in layout.html) and for programs in JSON.
local pages = require "deployd.pure.pages"
local settings = require "deployd.settings"

local texts = {}

local _M = {}

local function read(name)
    local file = assert(io.open(settings.pages .. "/" .. name, "r"))
    local text = file:read("*a")
    file:close()
    return text
end

-- Reads all pages; called once before the workers start.
function _M.read_all()
    local layout = read("layout.html")
    for name, page in pairs(pages.PAGES) do
        texts[name] = { html = pages.whole(layout, read(name .. ".html"), page), json = read(name .. ".json") }
    end
end

-- Ends the request with a page.
function _M.exit(name, status)
    ngx.var.deployd_page = name
    return ngx.exit(status)
end

-- The content of nginx's error pages.
function _M.send()
    local name = ngx.var.deployd_page
    if name == "" then
        name = pages.name_of(ngx.status, ngx.var.limit_conn_status)
    end
    if name == "password" then
        ngx.header["WWW-Authenticate"] = 'Basic realm="This site is not open to everybody", charset="UTF-8"'
    end
    local json = pages.wants_json(ngx.var)
    local text = json and texts[name].json or texts[name].html
    ngx.header["Content-Type"] = json and "application/json" or "text/html; charset=utf-8"
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Retry-After"] = pages.PAGES[name].retry_after
    text = string.gsub(text, "{{request}}", ngx.var.deployd_request)
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end

return _M

-- What a certificate authority asks for over HTTP (ACME, RFC 8555, 8.3). It is answered before everything else: in a
-- freeze, for hosts that nobody knows yet, and where visitors need a password. Whatever else lies below this path is the
-- application's.
local settings = require "deployd.settings"

local PATH = "^/%.well%-known/acme%-challenge/([%w_-]+)$"
local LONGEST_TOKEN = 128

local _M = {}

local function answer(uri)
    local token = string.match(uri, PATH)
    if not token or #token > LONGEST_TOKEN then
        return
    end
    local file = io.open(settings.challenges .. "/" .. token, "r")
    if file then
        local text = file:read("*a")
        file:close()
        return text
    end
end

-- Whether an answer to this path is laid out.
function _M.is_asked(uri)
    return answer(uri) ~= nil
end

-- The content of @challenge.
function _M.send()
    local text = answer(ngx.var.uri)
    if not text then                        -- it was taken away meanwhile
        return ngx.exit(404)
    end
    ngx.header["Content-Type"] = "application/octet-stream"
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end

return _M

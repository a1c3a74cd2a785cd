-- Pages that are put together (SSI): what they cost, and what they can show.
--
-- nginx's SSI module shows any variable to who asks for it (`echo`, `$name` in a value), ours too. A variable that a page
-- sets itself comes first there, so each page begins with lines that set ours to nothing, ahead of the application's own. Of
-- the application's commands only those get that far that cost little (pure/ssi_commands.lua).
local commands = require "deployd.pure.ssi_commands"
local settings = require "deployd.settings"

local MOST_PARTS = 48    -- of a page, with the parts of its parts; at 50 levels nginx gives up, and never ends the page
local var = ngx.var
local hiding

local _M = {}

local function lines()
    local found = {}
    for place, name in ipairs(settings.hidden) do
        found[place] = '<!--#set var="' .. name .. '" value="" -->'
    end
    return table.concat(found)
end

-- Whether a page may have one part more. All of its parts share the variables of nginx, so this counts for the whole page.
function _M.takes_part()
    local parts = (tonumber(var.deployd_parts) or 0) + 1
    var.deployd_parts = parts
    return parts <= MOST_PARTS
end

local spend = commands.spender(
    function() return tonumber(var.deployd_room) end,
    function(rest) var.deployd_room = rest end
)

-- Called when the answer of an application begins.
function _M.began()
    local header = ngx.header
    local content_type = header["Content-Type"]
    if not content_type or not string.find(string.lower(content_type), "text/html", 1, true) then
        return
    end
    ngx.ctx.commands = {}
    if ngx.is_subrequest then
        return
    end
    if header["Content-Encoding"] then   -- it was asked for as text; nobody can put this together
        ngx.status = 502
        header["Content-Encoding"], header["Content-Length"] = nil, nil
        ngx.ctx.instead = "This page was to be put together of text, and the application has encoded it.\n"
    end
    ngx.ctx.is_page = true
end

-- Called for each piece of it.
function _M.piece()
    local context = ngx.ctx
    if context.commands then
        ngx.arg[1] = commands.piece(context.commands, ngx.arg[1], ngx.arg[2], spend)
    end
    if not context.is_page then
        return
    end
    if context.instead then
        ngx.arg[1], context.instead = context.instead, ""
    elseif ngx.arg[1] ~= "" then
        hiding = hiding or lines()
        ngx.arg[1], context.is_page = hiding .. ngx.arg[1], nil
    end
end

return _M

-- The control socket: one command for each request, JSON in and out, one command at a time over all workers.
--   200 done   409 refused: nothing was changed   400 not a command   500 a mistake of the router's own
local cjson = require "cjson.safe"
local asleep = require "deployd.asleep"
local change = require "deployd.change"
local hand_over = require "deployd.hand_over"
local turn = require "deployd.turn"

local _M = {}

local COMMANDS = {
    ["/put"] = function(asked, text) return change.put(asked, text, ngx.req.get_uri_args().over) end,
    ["/switch"] = function(asked, text) return change.set(asked, text, true) end,
    ["/preview"] = function(asked, text) return change.preview(asked, text) end,
    ["/freeze"] = function(asked) return change.freeze(asked.environment, asked.seconds, asked.hosts) end,
    ["/thaw"] = function(asked) return change.thaw(asked.environment) end,
    ["/maintenance"] = function(asked) return change.maintenance(asked.environment, asked.on) end,
    ["/remove"] = function(asked) return change.remove(asked.environment) end,
    ["/complete"] = function() return change.complete() end,
    ["/look"] = function(asked) return change.look(asked.environment) end,
    ["/status"] = function(asked) return change.status(asked.environments ~= false) end,
    ["/hand_over"] = function()
        return hand_over.give() or error({ refused = "nobody comes to this router: there is nothing to hand over" }, 0)
    end,
    ["/leave"] = function(asked) return hand_over.leave(asked.on) end,
    ["/sleepers"] = function(asked) return asleep.wanted(asked.known, asked.seconds) end,
}
local QUESTIONS = { [COMMANDS["/sleepers"]] = true }  -- that wait, and keep nobody else waiting

local function body()
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    local path = not text and ngx.req.get_body_file()
    if path then
        local file = assert(io.open(path, "rb"))
        text = file:read("*a")
        file:close()
    end
    return text or "{}"
end

local function say(status, answer)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.say(cjson.encode(answer))
end

function _M.handle()
    local command = COMMANDS[ngx.var.uri]
    local text = body()
    local asked = cjson.decode(text)
    if not command or type(asked) ~= "table" then
        return say(400, { refused = "not a command: " .. ngx.var.uri })
    end
    local ok, result
    if QUESTIONS[command] then
        ok, result = pcall(command, asked)
    else
        ok, result = turn.take(function() return command(asked, text) end)
    end
    if ok then
        return say(200, result)
    end
    if type(result) == "table" then
        return say(409, result)
    end
    ngx.log(ngx.ERR, "the command ", ngx.var.uri, " failed: ", result)
    return say(500, { failed = result })
end

return _M

-- Commands of pages that are put together (SSI): which of them nginx gets to see, and how many.
--
-- nginx works them out in the process that serves everybody, and without a bound: a variable that is set to itself twice,
-- thirty times over, has all of its memory, and a regular expression takes minutes. So a command passes that this file
-- understands to its last letter; in place of any other stands what nginx itself writes for a wrong one. Whatever begins a
-- command for nginx begins one here (`<!--#`), and one that is passed ends for both at the same `-->`.
local _M = {}

local BEGIN, FINISH = "<!--#", "-->"
local WRONG = "[an error occurred while processing the directive]"
local LONGEST = 2000             -- bytes of a command; some of it is held back until its end comes
local ROOM = 1000                -- what the commands of a page may cost, with those of its parts
local WITH_VARIABLE, WITH_PATTERN = 10, 50
local NAME = "^%$[%w_]+$"
local BLANK = "[ \t\r\n]*"

-- {command: {parameter: true when it must be there}}
local KNOWN = {
    include = { virtual = false, file = false, set = false, wait = false, stub = false },
    echo = { var = true, default = false, encoding = false },
    config = { errmsg = false, timefmt = false },
    set = { var = true, value = true },
    ["if"] = { expr = true }, elif = { expr = true }, ["else"] = {}, endif = {},
    block = { name = true }, endblock = {},
}

-- A command without its begin and its end: its name and {parameter: value}; nil when nginx could read it in another way.
local function parse(text)
    local name, at = string.match(text, "^" .. BLANK .. "(%l+)()")
    local known = name and KNOWN[name]
    if not known then
        return nil
    end
    local values = {}
    while true do
        local parameter, quote, begin = string.match(text, "^[ \t\r\n]+(%l+)" .. BLANK .. "=" .. BLANK .. "([\"'])()", at)
        if not parameter then
            break
        end
        local finish = string.find(text, quote, begin, true)
        if not finish or known[parameter] == nil or values[parameter] then
            return nil
        end
        values[parameter], at = string.sub(text, begin, finish - 1), finish + 1
        if string.sub(values[parameter], -1) == "\\" then
            return nil  -- for nginx the value goes on
        end
    end
    for parameter, must in pairs(known) do
        if must and not values[parameter] then
            return nil
        end
    end
    if not string.find(text, "^" .. BLANK .. "$", at) then
        return nil
    end
    return name, values
end

-- How many variables stand in a value.
local function variables(value)
    local _, count = string.gsub(value, "%$", "")
    return count
end

-- What a condition costs; nil when it is none that may be asked. A pattern has no repeats: it is through a text at once.
local function cost_of_condition(expr)
    local name, what = string.match(expr, "^" .. BLANK .. "(%$[%w_{}]+)" .. BLANK .. "(.-)$")
    if not name or not string.find(string.gsub(name, "[{}]", ""), NAME) then
        return nil
    end
    if what == "" then
        return 1
    end
    local text = string.match(what, "^!?=" .. BLANK .. "(.*)$")
    if not text then
        return nil
    elseif string.sub(text, 1, 1) ~= "/" then
        return 1 + WITH_VARIABLE * variables(text)
    end
    return string.find(text, "^/%^?[%w%s_.,:;=@|-]+/$") and WITH_PATTERN or nil
end

-- What a command costs; nil when no page may have it.
local function cost(name, values)
    if name == "if" or name == "elif" then
        return cost_of_condition(values.expr)
    elseif name == "set" then
        local count = variables(values.value)
        return count <= 1 and 1 + WITH_VARIABLE * count or nil   -- with two it could be doubled again and again
    elseif name == "echo" then
        return 5
    end
    return 1
end

-- Whether a condition stands where nginx takes it; others would each be a line in the router's log.
local function fits(state, name)
    if name == "if" then
        if state.within then
            return false
        end
        state.within = true
    elseif name == "elif" or name == "else" or name == "endif" then
        if not state.within then
            return false
        end
        state.within = name ~= "endif"
    end
    return true
end

local function passes(state, text, spend)
    local name, values = parse(text)
    local costs = name and cost(name, values)
    return costs and fits(state, name) and spend(costs)
end

-- Where a text may end in the beginning of a command; its length plus one when it does not.
local function held_from(text)
    for length = #BEGIN - 1, 1, -1 do
        if string.sub(text, -length) == string.sub(BEGIN, 1, length) then
            return #text - length + 1
        end
    end
    return #text + 1
end

-- A piece of a page as nginx may have it. `state` is a table for the page, `spend(costs)` says whether there is room for it.
function _M.piece(state, text, is_last, spend)
    text = (state.held or "") .. text
    state.held = nil
    local found, at = {}, 1
    while true do
        local begin = string.find(text, BEGIN, at, true)
        if not begin then
            local hold = is_last and #text + 1 or math.max(held_from(text), at)
            found[#found + 1] = string.sub(text, at, hold - 1)
            state.held = hold <= #text and string.sub(text, hold) or nil
            break
        end
        found[#found + 1] = string.sub(text, at, begin - 1)
        local finish = string.find(text, FINISH, begin + #BEGIN, true)
        if not finish and not is_last and #text - begin <= LONGEST then
            state.held = string.sub(text, begin)
            break
        end
        if finish and finish - begin <= LONGEST and passes(state, string.sub(text, begin + #BEGIN, finish - 1), spend) then
            found[#found + 1] = string.sub(text, begin, finish + #FINISH - 1)
            at = finish + #FINISH
        else
            found[#found + 1] = WRONG
            at = finish and finish + #FINISH or begin + #BEGIN
        end
    end
    return table.concat(found)
end

-- A counter of what commands cost: `left` reads what is there still, `keep` writes it.
function _M.spender(left, keep)
    return function(costs)
        local rest = (left() or ROOM) - costs
        if rest < 0 then
            return false
        end
        keep(rest)
        return true
    end
end

return _M

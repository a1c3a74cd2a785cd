-- Whose turn it is among a route's containers, and how that is said in one text. A container is {address, port}.
local _M = {}

-- The place of the first one. `seed` is a number of the client's, for routes on which a client keeps its container.
function _M.first(route, seed)
    local count = #route.targets
    if count == 1 then
        return 1
    end
    if route.sticky then
        return seed % count + 1
    end
    route.next = route.next % count + 1
    return route.next
end

function _M.address(target)
    return target[1] .. ":" .. target[2]
end

-- All containers in a text, the one at a place first.
function _M.in_text(targets, at)
    local all, count = {}, #targets
    for step = 0, count - 1 do
        all[#all + 1] = _M.address(targets[(at + step - 1) % count + 1])
    end
    return table.concat(all, " ")
end

-- Reads that text: the only container, or nil and all of them.
function _M.from_text(text)
    if not string.find(text, " ", 1, true) then
        return text
    end
    local targets = {}
    for host, port in string.gmatch(text, "(%S+):(%d+)") do
        targets[#targets + 1] = { host, port }
    end
    return nil, targets
end

return _M

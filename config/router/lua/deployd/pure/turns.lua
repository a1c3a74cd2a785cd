-- Whose turn it is among a route's containers, and how that is said in one text. A container is {address, port}.
local _M = {}

local MODULUS, PRIME = 2 ^ 26, 67108859

-- How much a client and a container belong together; numbers stay below 2^53. `^` would be slower than the product.
local function affinity(seed, target)
    local of_target = 7
    for place = 1, #target[1] do
        of_target = (of_target * 31 + string.byte(target[1], place)) % MODULUS
    end
    local both = (seed % MODULUS * 69069 + of_target * 40503) % MODULUS
    return (both * both + of_target) % PRIME
end

-- The container to which a client belongs most: when one is taken out, only its own clients move.
local function own(targets, seed)
    local best, at = -1, 1
    for place, target in ipairs(targets) do
        local how = affinity(seed, target)
        if how > best then
            best, at = how, place
        end
    end
    return at
end

-- The place of the first one. `seed` is a number of the client's, for routes on which a client keeps its container.
function _M.first(route, seed)
    local count = #route.targets
    if count == 1 then
        return 1
    end
    if route.sticky then
        return own(route.targets, seed)
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

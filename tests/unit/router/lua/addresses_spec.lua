local addresses = require "deployd.pure.addresses"

local function address(...)
    return string.char(...)
end

local function may_come(from, ...)
    local rules, otherwise = addresses.prepare { ... }
    return addresses.may_come(from, rules, otherwise)
end

local OFFICE = { allow = true, bits = 24, network = "c0a80100" }          -- 192.168.1.0/24
local NOBODY = { allow = false, bits = 0, network = "00000000" }

describe("an address", function()
    it("may come where no rule is", function()
        assert.is_true(may_come(address(10, 0, 0, 1)))
    end)

    it("is compared up to the length of a network", function()
        assert.is_true(may_come(address(192, 168, 1, 255), OFFICE))
        assert.is_false(may_come(address(192, 168, 2, 1), OFFICE))
        local half = { allow = true, bits = 25, network = "c0a80180" }
        assert.is_true(may_come(address(192, 168, 1, 128), half))
        assert.is_false(may_come(address(192, 168, 1, 127), half))
    end)

    it("may come when it is not named only where nobody is allowed by name", function()
        assert.is_true(may_come(address(10, 0, 0, 1), { allow = false, bits = 32, network = "0a000002" }))
        assert.is_false(may_come(address(10, 0, 0, 1), { allow = true, bits = 32, network = "0a000002" }))
    end)

    it("is judged by the first rule that names it", function()
        assert.is_true(may_come(address(192, 168, 1, 1), OFFICE, NOBODY))
        assert.is_false(may_come(address(192, 168, 1, 1), NOBODY, OFFICE))
    end)

    it("of version six is none of version four", function()
        local six = string.rep("\0", 15) .. "\1"
        assert.is_false(may_come(six, { allow = true, bits = 0, network = "00000000" }))
        assert.is_true(may_come(six, { allow = true, bits = 128, network = string.rep("00", 15) .. "01" }))
    end)

    it("of version four counts as that behind a socket of version six", function()
        local four = address(192, 168, 1, 1)
        assert.equal(four, addresses.unmapped(string.rep("\0", 10) .. "\255\255" .. four))
        assert.equal(four, addresses.unmapped(four))
        assert.equal(string.rep("\1", 16), addresses.unmapped(string.rep("\1", 16)))
    end)
end)

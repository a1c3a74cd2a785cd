local hosts = require "deployd.pure.hosts"

local function look_up(known)
    return function(pattern) return known[pattern] end
end

describe("who answers for a host", function()
    it("is the host itself before any wildcard", function()
        local found, pattern = hosts.owner("a.b.test", look_up { ["a.b.test"] = "shop", ["*.b.test"] = "other" })
        assert.equal("shop", found)
        assert.equal("a.b.test", pattern)
    end)

    it("is the nearest wildcard", function()
        local found, pattern = hosts.owner("x.a.b.test", look_up { ["*.b.test"] = "far", ["*.a.b.test"] = "near" })
        assert.equal("near", found)
        assert.equal("*.a.b.test", pattern)
    end)

    it("is nobody for what a wildcard is over", function()
        assert.is_nil(hosts.owner("b.test", look_up { ["*.b.test"] = "shop" }))
        assert.is_nil(hosts.owner("localhost", look_up {}))
    end)
end)

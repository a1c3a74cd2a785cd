local turns = require "deployd.pure.turns"

local A, B, C = { "10.0.0.2", 80 }, { "10.0.0.3", 80 }, { "[fd00::2]", 8080 }

describe("whose turn it is", function()
    it("goes round", function()
        local route = { targets = { A, B, C }, next = 0 }
        local places = {}
        for _ = 1, 4 do
            places[#places + 1] = turns.first(route)
        end
        assert.same({ 1, 2, 3, 1 }, places)
    end)

    it("is the client's own where a route is sticky", function()
        local route = { targets = { A, B, C }, next = 0, sticky = true }
        assert.equal(2, turns.first(route, 4))
        assert.equal(2, turns.first(route, 4))
        assert.equal(1, turns.first(route, 6))
    end)

    it("is the only one's", function()
        assert.equal(1, turns.first({ targets = { A }, next = 0, sticky = true }, 7))
    end)
end)

describe("the containers in a text", function()
    it("begin with the one whose turn it is", function()
        assert.equal("10.0.0.3:80 [fd00::2]:8080 10.0.0.2:80", turns.in_text({ A, B, C }, 2))
    end)

    it("are read from it again", function()
        local only, targets = turns.from_text "10.0.0.3:80 [fd00::2]:8080"
        assert.is_nil(only)
        assert.same({ { "10.0.0.3", "80" }, { "[fd00::2]", "8080" } }, targets)
        assert.equal("10.0.0.3:80", (turns.from_text "10.0.0.3:80"))
    end)
end)

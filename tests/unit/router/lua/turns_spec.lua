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
        for seed = 1, 50 do
            assert.equal(turns.first(route, seed), turns.first(route, seed))
        end
    end)

    it("spreads clients over all where a route is sticky", function()
        local route = { targets = { A, B, C }, next = 0, sticky = true }
        local count = { 0, 0, 0 }
        for number = 1, 3000 do
            local at = turns.first(route, (number * 2654435761) % 2 ^ 32)
            count[at] = count[at] + 1
        end
        for place = 1, 3 do
            assert.is_true(count[place] > 700, place .. " has " .. count[place])
        end
    end)

    it("moves nobody but the clients of a container that is taken out", function()
        local all = { targets = { A, B, C }, next = 0, sticky = true }
        local rest = { targets = { A, C }, next = 0, sticky = true }
        for number = 1, 300 do
            local seed = (number * 2654435761) % 2 ^ 32
            local before, after = all.targets[turns.first(all, seed)], rest.targets[turns.first(rest, seed)]
            assert.is_true(before == B or before == after)
        end
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

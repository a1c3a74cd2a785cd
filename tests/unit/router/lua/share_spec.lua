local share = require "deployd.pure.share"

local KNOWN = { ["shop/main"] = 600, ["shop/test"] = 300, ["other/main"] = 5000 }
local NAMES = { "shop/main", "shop/test", "shop/gone", "other/main" }

local function problem(name, bytes)
    return share.problem(name, bytes, NAMES, function(other) return KNOWN[other] end, 1000)
end

describe("the share of a project", function()
    it("is taken by its environments together, and by no neighbour's", function()
        assert.is_nil(problem("shop/new", 100))
        assert.is_truthy(problem("shop/new", 101))
        assert.is_nil(problem("third/main", 1000))
    end)

    it("is not taken twice by the environment that changes", function()
        assert.is_nil(problem("shop/main", 700))
        assert.is_truthy(problem("shop/main", 701))
    end)

    it("is told with both sizes and the setting", function()
        local sentence = share.problem("shop/main", 3 * 1024 * 1024, {}, nil, 2 * 1024 * 1024)
        for _, words in ipairs { "the project shop would take 3.0 MB", "a project has 2.0 MB", "project_routes_mb" } do
            assert.is_truthy(string.find(sentence, words, 1, true), words)
        end
    end)

    it("counts a document and its hosts", function()
        assert.equal(3 + 2 * 512, share.size({ hosts = { "a", "b" } }, "abc"))
    end)
end)

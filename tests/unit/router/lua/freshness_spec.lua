local freshness = require "deployd.pure.freshness"

local HOUR = "in an hour"
local function until_expiry(text)
    return text == HOUR and 3600 or 0
end

-- Seconds that an answer is kept: of a page by default, with 60 s where nothing is said.
local function seconds(header, more)
    more = more or {}
    local all = { ["Content-Type"] = "text/html" }
    for name, value in pairs(header) do
        all[name] = value or nil
    end
    return freshness.seconds(more.status or 200, all, more.said, 60, until_expiry)
end

describe("an answer is kept", function()
    it("for the time by default when it says nothing", function()
        assert.equal(60, seconds {})
        assert.equal(60, seconds({}, { status = 301 }))
        assert.equal(0, seconds({}, { status = 404 }))
        assert.equal(0, seconds({}, { status = 500 }))
    end)

    it("for as long as it says, first of all to shared caches", function()
        assert.equal(10, seconds { ["Cache-Control"] = "public, max-age=10" })
        assert.equal(20, seconds { ["Cache-Control"] = "max-age=10, S-MaxAge=\"20\"" })
        assert.equal(10, seconds({ ["Cache-Control"] = { "public", "max-age=10" } }, { status = 404 }))
        assert.equal(3600, seconds { Expires = HOUR })
        assert.equal(3600, seconds { Expires = HOUR, ["Cache-Control"] = "public" })
        assert.equal(0, seconds { Expires = "yesterday" })
        assert.equal(0, seconds { ["Cache-Control"] = "public" })
    end)

    it("less long when it is old already", function()
        assert.equal(7, seconds { ["Cache-Control"] = "max-age=10", Age = "3" })
        assert.equal(0, seconds { ["Cache-Control"] = "max-age=10", Age = "30" })
    end)
end)

describe("an answer is not kept", function()
    it("when it is private, or made for one visitor", function()
        for _, control in ipairs { "private", "no-store, max-age=10", "No-Cache" } do
            assert.equal(0, seconds { ["Cache-Control"] = control })
        end
        assert.equal(0, seconds { ["Set-Cookie"] = "id=1" })
        assert.equal(0, seconds { Pragma = "no-cache" })
        assert.equal(0, seconds { Vary = "*" })
        assert.equal(0, seconds { Vary = { "Accept", "X-Client-IP" } })
    end)

    it("when the application forbade it, whatever became of that on the way", function()
        assert.equal(0, seconds({ ["Cache-Control"] = "max-age=10" }, { said = "private" }))
        assert.equal(10, seconds({ ["Cache-Control"] = "max-age=10" }, { said = "max-age=10" }))
    end)

    it("when it is encoded, streams, or may have no end", function()
        assert.equal(0, seconds { ["Content-Encoding"] = "gzip" })
        assert.equal(0, seconds { ["Content-Type"] = "text/event-stream" })
        assert.equal(0, seconds { ["Content-Type"] = "application/zip" })
        assert.equal(60, seconds { ["Content-Type"] = "application/zip", ["Content-Length"] = "1000" })
        assert.equal(0, seconds { ["Content-Length"] = tostring(freshness.LARGEST + 1) })
        assert.equal(60, seconds({ ["Content-Type"] = false }, { status = 301 }))
    end)
end)

describe("Vary of an answer that was asked for uncompressed", function()
    it("does not name the encoding", function()
        assert.equal("Accept, Cookie", freshness.without_encoding "Accept, accept-encoding,Cookie")
        assert.equal("Accept", freshness.without_encoding { "Accept-Encoding", "Accept" })
        assert.is_nil(freshness.without_encoding "Accept-Encoding")
    end)
end)

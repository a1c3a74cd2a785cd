local pages = require "deployd.pure.pages"

describe("a page for people", function()
    local LAYOUT = "<title>{{title}}</title>\n{{refresh}}{{body}}<p>{{request}}</p>"

    it("has its heading as title, and stays open for the request's name", function()
        assert.equal(
            "<title>Nobody</title>\n    <h1>Nobody</h1>\n    <p>100 %</p>\n<p>{{request}}</p>",
            pages.whole(LAYOUT, "<h1>Nobody</h1>\n<p>100 %</p>\n", {})
        )
    end)

    it("comes again by itself where waiting helps", function()
        local text = pages.whole(LAYOUT, "<h1>Soon</h1>", pages.PAGES.maintenance)
        assert.is_truthy(string.find(text, '<meta http-equiv="refresh" content="15">', 1, true))
        assert.is_nil(string.find(pages.whole(LAYOUT, "<h1>Down</h1>", pages.PAGES.down), "refresh", 1, true))
    end)
end)

describe("who gets JSON", function()
    it("is who accepts it and no page", function()
        assert.is_true(pages.wants_json { http_accept = "application/json" })
        assert.is_true(pages.wants_json { http_accept = "application/problem+json, */*" })
        assert.is_false(pages.wants_json { http_accept = "text/html, application/json" })
    end)

    it("is who sends it, or a script of a page", function()
        assert.is_true(pages.wants_json { http_content_type = "application/json; charset=utf-8" })
        assert.is_true(pages.wants_json { http_accept = "*/*", http_x_requested_with = "XMLHttpRequest" })
        assert.is_false(pages.wants_json {})
    end)
end)

describe("an error of nginx's own", function()
    it("has its page", function()
        assert.equal("unknown", pages.name_of(404, nil))
        assert.equal("busy", pages.name_of(429, "REJECTED"))
        assert.equal("crowded", pages.name_of(503, "REJECTED"))
        assert.equal("down", pages.name_of(502, "PASSED"))
    end)
end)

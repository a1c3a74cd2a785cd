local commands = require "deployd.pure.ssi_commands"

local WRONG = "[an error occurred while processing the directive]"

local function spender(room)
    local left = room or 1000
    return commands.spender(function() return left end, function(rest) left = rest end)
end

-- A page in pieces, as nginx gets it.
local function page(pieces, spend)
    local state, found = {}, {}
    for place, piece in ipairs(pieces) do
        found[place] = commands.piece(state, piece, place == #pieces, spend or spender())
    end
    return table.concat(found)
end

local function is_passed(command)
    local text = "a" .. command .. "b"
    local found = page { text }
    assert(found == text or string.find(found, WRONG, 1, true), found)
    return found == text
end

describe("a command that costs little", function()
    it("passes", function()
        for _, command in ipairs {
            '<!--#include virtual="/part?x=1" -->', "<!--#include file='a.html'-->", '<!--#echo var="x" default="-" -->',
            '<!--#set var="a" value="1" -->', '<!--#set var="a" value="$b" -->', '<!--#config errmsg="" -->',
            '<!--#block name="one" --><!--#endblock -->', '<!--#if expr="$a" -->x<!--#else -->y<!--#endif -->',
            '<!--#if expr="$a = /^de/" -->x<!--#endif -->',
        } do
            assert.is_true(is_passed(command), command)
        end
    end)
end)

describe("any other command", function()
    it("is answered as a wrong one", function()
        for _, command in ipairs {
            '<!--#exec cmd="ls" -->', '<!--#set var="a" value="$a$a" -->', '<!--#set var="a" -->',
            '<!--#include virtual="/a" odd="1" -->', '<!--#echo var="a" var="b" -->', '<!--#echo var="a\\" -->',
            '<!--#echo var="a" x -->', "<!--#-->", "<!--#endif -->",
        } do
            assert.is_false(is_passed(command), command)
        end
    end)

    it("is one with a pattern that can repeat", function()
        assert.is_false(is_passed '<!--#if expr="$a = /(x+)+$/" -->')
    end)

    it("is a condition within a condition", function()
        assert.equal('<!--#if expr="$a" -->' .. WRONG, page { '<!--#if expr="$a" --><!--#if expr="$b" -->' })
    end)
end)

describe("a page in pieces", function()
    it("is as it would be in one", function()
        local text = 'one <!--#include virtual="/a" --> two <!--#exec cmd="ls" --> three <!-- remark --> <!-'
        local whole = page { text }
        for size = 1, 12 do
            local pieces = {}
            for at = 1, #text, size do
                pieces[#pieces + 1] = string.sub(text, at, at + size - 1)
            end
            assert.equal(whole, page(pieces))
        end
        assert.equal('one <!--#include virtual="/a" --> two ' .. WRONG .. " three <!-- remark --> <!-", whole)
    end)

    it("is not held back for a command without an end", function()
        local found = page { "a<!--#echo " .. string.rep("x", 3000), "b" }
        assert.equal("a" .. WRONG, string.sub(found, 1, 1 + #WRONG))
        assert.equal("xb", string.sub(found, -2))
    end)
end)

describe("the commands of a page", function()
    it("pass while there is room for them", function()
        local text = string.rep('<!--#echo var="a" -->', 4)
        local found = page({ text }, spender(10))
        assert.equal(string.rep('<!--#echo var="a" -->', 2) .. WRONG .. WRONG, found)
    end)
end)

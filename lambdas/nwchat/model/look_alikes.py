"""Look-alikes of names: letters and digits of other scripts by the Latin letter that they look like. Pure.

The table is derived from Unicode's confusables.txt (UTS #39, version 15.1): the letters, digits and symbols
that are confusable with one ASCII letter or digit, or with one that has a mark or a stroke, but not those of
which normalization (NFKC), case or another entry makes the same letter; and small capitals, regional
indicators and letters in circles and squares, by their names. Letters that differ by case look the same here,
as do 0 and o, and 1, i and l.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from nwchat.model.characters import without_any_invisible

_LOOK_ALIKES = {
    "2": "ƧƻϨᒿꙄꛯꝚ",
    "3": "ƷȜЗҘӠⳌꝪꞫ𑣊𖼻𝈆",
    "4": "Ꮞ𑢯",
    "5": "Ƽ𑢻",
    "6": "бᏮⳒ𑣕",
    "7": "𐓒𑣆𝈒",
    "8": "Ȣ৪੪𐌚",
    "9": "৭੧୨൭ⳊꝮ𑢬𑣖",
    "a": "ɑΑАᎪᗅᴀ⍺ꓮ𐊠𖽀🅐🅰🇦",
    "b": "ƀƂƄɓʙΒБВЬѢҌᏏᏴᑲᑳᖯᗷꓐꞴ𐊂𐊡𐌁🅑🅱🇧",
    "c": "ÇȼϹСҪᏟᴄⲤꓚ𐊢𐌂𐐕𐔜𑣩𑣲🅒🅲🇨🝌",
    "d": "ÐĐƉƌɗԁᎠᏧᑯᗞᗪᴅꓒꓓ🅓🅳🇩",
    "e": "ɆΕЕҽҿᎬᴇ℮⋿ⴹꓰꬲ𐊆𑢦𑢮🅔🅴🇪",
    "f": "ſƑϜքᖴᵮẝꓝꜰꞘꬵ𐊇𐊥𐔥𑢢𝈓🅕🅵🇫",
    "g": "ƍǤɠɡɢԌցᏀᏳᶃꓖ🅖🅶🇬",
    "h": "ĦɦʜΗНћҢһӇӉհᎻᏂᏲᕼⱧⲎꓧꚕ𐋏🅗🅷🇭",
    "j": "ɈͿЈᎫᒍᴊꓙꞲ🅙🅹🇯",
    "k": "ƙΚКҚҞᏦᛕᴋⱩⲔꓗꝀ𐔘🅚🅺🇰",
    "l": "ıŁƖƗƚǀɪɫɭʟ˛ͺΙІӀ۱ᎥᏞᒪᛁᵻᵼ∣⍳⏽ⲒⳐⵏꓡꓲꙇ￨𐊊𐌉𐌠𐐛𐔦𑢣𑢲𖼖𖼨𝈪🅘🅛🅸🅻🇮🇱",
    "m": "ΜϺМӍᎷᗰᛖᴍⲘꓟ𐊰𐌑🅜🅼🇲",
    "n": "ƝƞɳɴΝηոռᵰⲚꓠ𐔓🅝🅽🇳",
    "o": "ØƟΘΟσОѲӨՕ۵०০੦૦ଠ୦௦౦೦ഠ൦๐໐တဝ၀ჿዐᎾᏫᴏᴑⲞⴱⵁⵔ〇ꓳꝊꬽꬾꭴ𐊒𐊫𐐄𐓂𐔖𑓐𑢵𑣈𑣗𑣠🅞🅾🇴",
    "p": "ƥΡРᏢᑭᴘᵽ⍴Ⲣꓑ𐊕🅟🅿🇵",
    "q": "ʠԛգզⵕꞯ🅠🆀🇶",
    "r": "ƦɍɼɽгғᎡᏒᖇᴦᵲⲅꓣꭇꭈꭋꮁ𐒴𖼵𝈖🅡🆁🇷",
    "s": "ƽʂЅՏᏕᏚᵴꓢꜱ𐊖𐐠𑣁𖼺🅢🆂🇸",
    "t": "ŦƭƮȾΤТҬᎢᴛᵵ⊤⟙Ⲧꓔ𐊗𐊱𐌕𑢼𖼊🅣🆃🇹🝨",
    "u": "ɄʋυՍሀᏌᑌᴜᵾ∪⋃ꓴꞟꭎꭒ𐓎𑢸𖽂🅤🆄🇺",
    "v": "νѴ۷Ꮩᐯᴠ∨⋁ⴸꓦꛟ𐔝𑜆𑢠𖼈𝈍🅥🆅🇻",
    "w": "ɯѡѽԜաᎳᏔᴡꓪꝡ𑓅𑜊𑜎𑜏𑣦𑣯🅦🆆🇼",
    "x": "×ΧХҲᕁᕽ᙭ᚷ╳⤫⤬⨯ⲬⵝꓫꞳ𐊐𐊴𐌗𐌢𐔧𑣬🅧🆇🇽",
    "y": "ƴɎɣʏΥγУҮҰყᎩᎽᶌỿⲨꓬꭚ𐊲𑢤𑣜𖽃🅨🆈🇾",
    "z": "ƵȤʐΖᏃᴢᵶꓜ𐋵𑢩𑣄𑣥🅩🆉🇿",
}  # fmt: skip
_LATIN = {each: letter for letter, look_alikes in _LOOK_ALIKES.items() for each in look_alikes}
_SAME = {"0": "o", "1": "l", "i": "l", "|": "l"}
# Pairs that look like one letter.
_PAIRS = (("rn", "m"), ("vv", "w"))


def skeleton(name: str) -> str:
    """What is left of a name when all look-alikes are replaced: two names with one skeleton look the same.

    Without marks, spaces, signs and anything invisible; "" when there are no letters and digits. Linear in
    the name's length. Compare skeletons only: they are no names.
    """
    letters = "".join(_latin(each) for each in without_any_invisible(name))
    text = "".join(_SAME.get(each, each) for each in letters if each.isalnum() or each in _SAME)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def _latin(character: str) -> str:
    if character.isascii():
        return character.lower()
    if (found := _look_up(character)) is not None:
        return found
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", character))
    return "".join(
        _look_up(each) or each.casefold() for each in parts if unicodedata.category(each)[0] != "M"
    )


def _look_up(character: str) -> str | None:
    for each in (character, character.upper(), character.lower()):
        if (found := _LATIN.get(each)) is not None:
            return found
    return None


def looks_like_any(name: str, reserved: Iterable[str]) -> bool:
    """Whether a player's name looks like one of the reserved names."""
    found = skeleton(name)
    return bool(found) and any(found == skeleton(each) for each in reserved)

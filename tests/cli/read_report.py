# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a report of patchcore evaluate with Python's own parsers and prints what is in it as JSON.

Fails where the file is no well-formed XML, or where an HTML parser sees other elements in it than
an XML parser.
"""
import base64
import html.parser
import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree

HTML = "{http://www.w3.org/1999/xhtml}"


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)


def text(element):
    return "".join(element.itertext()).strip()


def jpeg_size(uri):
    """Width and height of a JPEG in a data: URI."""
    data = base64.b64decode(re.fullmatch("data:image/jpeg;base64,(.*)", uri).group(1), validate=True)
    assert data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    height, width = struct.unpack(">HH", data[at + 5:at + 9])
    return [width, height]


def exhibit(figure):
    images = list(figure.iter(HTML + "img"))
    verdict = figure.find(f".//{HTML}span")
    return {"name": text(figure.find(f".//{HTML}bdi")),
            "score": float(re.search(r"score (\S+)", text(figure)).group(1)),
            "verdict": None if verdict is None else text(verdict),
            "alts": [image.get("alt") for image in images],
            "sizes": [jpeg_size(image.get("src")) for image in images]}


def row(element):
    return {text(element[0]): [float(data.get("value")) for data in element.iter(HTML + "data")]}


def main(path):
    source = open(path, encoding="utf-8").read()
    root = ElementTree.fromstring(source)
    names = [re.sub("{.*}", "", element.tag).lower() for element in root.iter()]
    tags = Tags()
    tags.feed(source)
    assert sorted(tags.names) == sorted(names), "HTML and XML differ"

    sections = {section.get("id"): section for section in root.iter(HTML + "section")}
    facts = list(root.iter(HTML + "dl"))[-1]
    rows = {}
    for element in root.iter(HTML + "tbody"):
        for tr in element:
            rows.update(row(tr))
    links = [(name, value) for element in root.iter() for name, value in element.attrib.items()
             if name in ("src", "href", "data", "action") or name.endswith("}href")]
    # Where an address could be, without the names of the two formats and without the pictures.
    addresses = re.sub(r'xmlns="[^"]*"|data:image/jpeg;base64,[^"]*', "", source)
    json.dump({
        "title": text(root.find(f".//{HTML}title")),
        "language": root.get("lang"),
        "elements": sorted(set(names)),
        "handlers": [name for element in root.iter() for name in element.attrib
                     if name.startswith("on")],
        "external": [value for _, value in links if not value.startswith("data:image/")],
        "urls": re.findall(r"https?:|//|url\(|@import", addresses),
        "sections": list(sections),
        "plots": [text(svg[0]) for svg in root.iter("{http://www.w3.org/2000/svg}svg")],
        "rows": rows,
        "notes": [text(note) for note in root.findall(f".//{HTML}ul/{HTML}li")],
        "facts": {text(dt): text(dd) for dt, dd in zip(facts[0::2], facts[1::2])},
        "exhibits": {name: [exhibit(figure) for figure in sections[name].iter(HTML + "figure")]
                     for name in ("misses", "false-alarms") if name in sections},
    }, sys.stdout)


main(sys.argv[1])

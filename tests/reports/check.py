"""Parses reports and exports again: check.py DIR.

Each file of DIR is NAME.benign.FORM or NAME.hostile-NUMBER.FORM. Every file has to be well-formed by the rules of its form, and
a hostile one has to have the structure of the benign one of the same name: foreign text may change texts, and nothing else.
Prints what is wrong, one line each, and ends with 1 if anything is.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm
import jsonschema
import yaml
from cmarkgfm.cmark import Options

HERE = Path(__file__).parent
COMMENT_LIMIT = 65_536
VOID = {"br", "meta", "input", "hr", "img", "link", "col", "wbr"}
HTML_ELEMENTS = set(
    "html head meta title style body header main footer section article h1 h2 h3 p span strong code ul li ol dl dt dd table"
    " thead tbody tr th td figure figcaption svg text rect line circle polygon details summary pre ins del br div".split()
)
MARKDOWN_ELEMENTS = set(
    "h2 h3 p table thead tbody tr th td strong code pre ul li details summary br blockquote".split()
)
# Where only foreign text, or words made of it, may stand.
TEXT_ATTRIBUTES = {"aria-label"}


STEERING = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\U000e0000-\\U000e007f]"
)


class Wrong(Exception):
    """What is wrong with a file."""


def demand(condition, message):
    if not condition:
        raise Wrong(message)


class Page(HTMLParser):
    """Collects elements and attributes in order, and demands that elements close."""

    def __init__(self, allowed):
        super().__init__(convert_charrefs=True)
        self.allowed, self.skeleton, self.open, self.style, self.ids = allowed, [], [], "", set()
        self.policy, self.text = None, []

    def handle_starttag(self, tag, attributes):
        demand(tag in self.allowed, f"element <{tag}>")
        for name, value in attributes:
            demand(not name.startswith("on"), f"attribute {name}")
            demand(name not in {"href", "src", "xlink:href", "style", "action", "srcset", "background"}, f"attribute {name}")
            if name == "id":
                demand(value not in self.ids, f"the id {value} stands twice")
                self.ids.add(value)
        kept = [(name, None if name in TEXT_ATTRIBUTES else value) for name, value in attributes]
        self.skeleton.append((tag, tuple(sorted(kept, key=lambda pair: pair[0]))))
        fields = dict(attributes)
        if fields.get("http-equiv") == "Content-Security-Policy":
            self.policy = fields["content"]
        if tag == "svg":
            demand(fields.get("role") == "img" and fields.get("aria-label"), "a picture without words")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        demand(self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}")
        self.open.pop()
        self.skeleton.append(("/" + tag, ()))

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        elif not self.open or self.open[-1] not in {"code", "pre"}:
            self.text.append(data)

    def handle_comment(self, data):
        raise Wrong(f"a comment: {data!r}")

    def handle_pi(self, data):
        raise Wrong(f"an instruction: {data!r}")

    def unknown_decl(self, data):
        raise Wrong(f"a declaration: {data!r}")


def parsed(text, allowed):
    page = Page(allowed)
    page.feed(text)
    page.close()
    demand(not page.open, f"never closed: {page.open}")
    return page


def html(text):
    demand(text.startswith("<!DOCTYPE html><html lang=\"en\">"), "no doctype or no language")
    page = parsed(text, HTML_ELEMENTS)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    demand(page.policy == wanted, f"the policy is {page.policy!r}, the style has {digest}")
    demand("url(" not in page.style and "@import" not in page.style, "the style loads something")
    headings = [int(tag[1]) for tag, _ in page.skeleton if re.fullmatch("h[1-6]", tag)]
    demand(headings[:1] == [1] and headings.count(1) == 1, f"headings {headings}")
    demand(all(after - before <= 1 for before, after in zip(headings, headings[1:])), f"headings {headings}")
    return page.skeleton


def markdown(text):
    demand(len(text.encode()) <= COMMENT_LIMIT, f"{len(text.encode())} bytes")
    rendered = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    page = parsed(rendered, MARKDOWN_ELEMENTS)
    shown = "".join(page.text)
    for pattern in [r"(^|\W)@[\w-]", r"(^|\W)#\d", r"https?://", r"(^|\W)www\.\w"]:
        demand(not re.search(pattern, shown), f"GitHub makes a link of {re.search(pattern, shown)!r}")
    return page.skeleton


def junit(text):
    demand("<!DOCTYPE" not in text and "<!ENTITY" not in text, "a document type")
    root = ElementTree.fromstring(text)
    strict(root, "testsuites", {"name", "tests", "failures", "errors", "skipped"}, {"testsuite"})
    names = []
    for suite in root:
        strict(suite, "testsuite", {"name", "tests", "failures", "errors", "skipped"}, {"testcase"})
        for case in suite:
            strict(case, "testcase", {"name", "classname"}, {"failure", "skipped"})
            demand(len(case) <= 1, "a test case with two ends")
            for end in case:
                strict(end, end.tag, {"message", "type"} if end.tag == "failure" else {"message"}, set())
            names.append((suite.get("name"), case.get("classname"), case.get("name")))
        for attribute, count in counts(suite).items():
            demand(int(suite.get(attribute)) == count, f"{attribute} of a suite is not {count}")
    for attribute, count in counts(root).items():
        demand(int(root.get(attribute)) == count, f"{attribute} is not {count}")
    demand(len(names) == len(set(names)), "two test cases of one name")
    return [(element.tag, tuple(sorted(element.attrib))) for element in root.iter()]


def strict(element, tag, attributes, children):
    demand(element.tag == tag, f"<{element.tag}> instead of <{tag}>")
    demand(set(element.attrib) == attributes, f"<{tag}> has {sorted(element.attrib)}")
    demand(all(child.tag in children for child in element), f"<{tag}> holds {[child.tag for child in element]}")


def counts(element):
    return {
        "tests": sum(1 for _ in element.iter("testcase")),
        "failures": sum(1 for _ in element.iter("failure")),
        "skipped": sum(1 for _ in element.iter("skipped")),
        "errors": 0,
    }


SARIF = jsonschema.Draft7Validator(
    json.loads((HERE / "sarif-schema-2.1.0.json").read_text()), format_checker=jsonschema.FormatChecker()
)


def sarif(text):
    log = json.loads(text)
    for error in SARIF.iter_errors(log):
        raise Wrong(f"{error.json_path}: {error.message}")
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    demand(len(rules) == len(set(rules)), "two rules of one id")
    for result in run["results"]:
        demand(rules[result["ruleIndex"]] == result["ruleId"], "a result of another rule")
        message = re.sub(r"\\[\\\[\]]|\{\{|\}\}", "", result["message"]["text"])
        demand(not re.search(r"[\[\]{}\\]", message), f"a link or a placeholder in {message!r}")
    prints = [result["partialFingerprints"]["ecrFixFinding/v1"] for result in run["results"]]
    demand(len(prints) == len(set(prints)), "two findings of one fingerprint")
    return shape(log)


def shape(value):
    """The keys and the lengths, without the texts."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def plain_json(text):
    return shape(json.loads(text))


def cloudformation(text):
    template = yaml.safe_load(text)
    demand(template["AWSTemplateFormatVersion"] == "2010-09-09", "no version")
    for resource in template.get("Resources", {}).values():
        demand(set(resource) == {"Type", "Properties"}, f"a resource has {sorted(resource)}")
    return shape(template)


def awscli(text):
    checked = subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True)
    demand(checked.returncode == 0, checked.stderr.decode())
    # Bash says itself what the words are: `in_account` prints how many it was given, and the first ones and the flags.
    calls = text.split("\n}\n", 2)[2]
    words = 'in_account() { printf "%s\\n" "$#"; printf "%s\\n" "$1" "$2" "$3" "$4"; for w in "${@:5}"; do' \
        ' case $w in --*) printf "%s\\n" "$w";; esac; done; }\n'
    script = "set -eu\n" + words + calls
    ran = subprocess.run(["bash"], input=script.encode(), capture_output=True, cwd="/")
    demand(ran.returncode == 0 and not ran.stderr, ran.stderr.decode(errors="replace"))
    for line in calls.splitlines():
        demand(not re.match(r"\s*#", line) or "\r" not in line, "a comment that ends early")
    return ran.stdout.decode(errors="replace").splitlines()


def terraform(text):
    """Strings and comments are cut out; what is left is the structure."""
    left, at = [], 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while text[end] != '"':
                demand(text[end] not in "\n", "a string over two lines")
                demand(text[end : end + 2] not in {"${", "%{"}, f"a template in {text[at:end + 9]!r}")
                end += 2 if text[end] == "\\" else 1
            left.append("S")
            at = end + 1
        elif text[at] == "#":
            at = text.find("\n", at)
        else:
            left.append(text[at])
            at += 1
    code = "".join(left)
    demand(code.count("{") == code.count("}") and "<<" not in code and "//" not in code and "/*" not in code, "odd code")
    return re.sub(r" +", " ", code)


FORMS = {
    "md": markdown, "html": html, "junit": junit, "sarif": sarif, "json": plain_json, "yaml": cloudformation, "sh": awscli,
    "tf": terraform,
}


def main():
    wrong, skeletons = [], {}
    files = sorted(Path(sys.argv[1]).iterdir(), key=lambda path: (".hostile" in path.name, path.name))
    for path in files:
        name, variant, form = path.name.rsplit(".", 2)
        try:
            text = path.read_bytes().decode()
            demand(not STEERING.search(text), f"characters that steer a terminal: {STEERING.search(text)!r}")
            demand(not re.search(r"(?m)^\s*::|##\[|##vso\[", text), "a command to a pipeline")
            skeleton = FORMS[form](text)
            if variant == "benign":
                skeletons[name, form] = skeleton
            else:
                demand(skeleton == skeletons[name, form], f"another structure: {difference(skeletons[name, form], skeleton)}")
        except (Wrong, ValueError, KeyError, yaml.YAMLError, ElementTree.ParseError) as error:
            wrong.append(f"{path.name}: {type(error).__name__}: {error}")
    print("\n".join(wrong) if wrong else f"{len(files)} files are well-formed")
    return 1 if wrong else 0


def difference(benign, hostile):
    if isinstance(benign, (list, str)) and isinstance(hostile, (list, str)):
        for number, (one, other) in enumerate(zip(benign, hostile)):
            if one != other:
                return f"at {number}: {benign[max(0, number - 60):number + 60]!r} / {hostile[max(0, number - 60):number + 60]!r}"
        return f"{len(benign)} and {len(hostile)} parts"
    return f"{benign!r:.300} / {hostile!r:.300}"


if __name__ == "__main__":
    sys.exit(main())

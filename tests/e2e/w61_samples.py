"""What README.md, conf/larder.conf and conf/presets show of forward proxies loads as it stands there, without a warning."""
import os
import re
import subprocess

from case import same

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def text_of(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as data:
        return data.read()


def load(t, name, text):
    """The text with the files that it names, and nothing else changed."""
    folder = os.path.join(t.folder, name)
    os.makedirs(folder)
    crypt = subprocess.run(["openssl", "passwd", "-6", "secret"], capture_output=True, text=True, check=True).stdout
    for file, content in (("htpasswd", f"anna:{crypt}ben:{crypt}"), ("blocked.txt", "ads.example\n")):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as data:
            data.write(content)
    path = os.path.join(folder, "larder.conf")
    with open(path, "w", encoding="utf-8") as data:
        data.write(re.sub(r"/etc/larder/", f"{folder}/", text).replace("/var/log/larder/", f"{folder}/"))
    done = subprocess.run([os.environ["LARDER"], "check", path], capture_output=True, text=True, timeout=120, check=False)
    same((done.returncode, done.stderr), (0, ""), f"larder check, {name}")
    shown = subprocess.run([os.environ["LARDER"], "config", "show", path], capture_output=True, text=True, timeout=120, check=False)
    same(shown.returncode, 0)
    return shown.stdout


def test_readme(t):
    section = text_of("README.md").split("\n## Forward proxy\n")[1].split("\n## ")[0]
    heads = re.findall(r"(?m)^\*\*([A-Z][a-z, ]*)", section)
    same(len(heads), len(set(heads)), "paragraphs that begin alike, as merges leave them")
    sample = section.split("```nginx\n")[1].split("```")[0]
    shown = load(t, "readme", sample)
    assert "forward office" in shown and "deny ads" in shown and "upstream http://parent.example:3128" in shown, shown


def test_larder_conf(t):
    """The commented forward proxy, all of it uncommented."""
    lines = text_of("conf", "larder.conf").split("\n# listen :3128 {")[1].split("\ninclude ")[0]
    sample = re.sub(r"(?m)^# ?", "", "# listen :3128 {" + lines)
    sample = re.sub(r"(?m)^( +)# ([a-z]\w* [^;{]*(?:{[^}]*})?;?(?: +#.*)?)$", lambda at: at[1] + at[2] if ";" in at[2] else at[0],
                    sample)
    shown = load(t, "conf", sample)
    for word in ("anonymize truncate", "log_query off", "upstream http://parent.example:3128", "quota 50G"):
        assert word in shown, (word, shown)


def test_presets(t):
    """As conf/presets/README.md includes them, and for some hosts only."""
    for name in ("apt", "npm", "pip", "git"):
        rules = text_of("conf", "presets", f"{name}.conf")
        only = re.sub(r"(?m)^rule ", "rule host packages.example *.packages.example ", rules)
        for kind, text in (("all", rules), ("some", only)):
            shown = load(t, f"{name}-{kind}", f"listen :3128 {{ forward office; }} forward office {{\n{text}}}\n")
            same(shown.count("rule "), rules.count("\nrule ") + rules.startswith("rule "), shown)


def test_unit(t):
    """Under the shipped unit a forward proxy still learns which addresses are its own (getifaddrs asks by AF_NETLINK)."""
    families = re.search(r"(?m)^RestrictAddressFamilies=(.*)$", text_of("conf", "larder.service"))[1].split()
    same(sorted(families), ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"])

"""WeChat's push client, written a second time with other tools: what it sends shares nothing with the server.

Reads one JSON object on standard input: url, token, aes_key, app_id, users, pushes, connections.
Every push is a distinct text in secure mode; one user's pushes go out in order, over one connection at a
time. Prints one JSON object: the answers counted by what they were, and what was sent, by user in order.
"""

import base64
import hashlib
import http.client
import json
import os
import queue
import struct
import sys
import threading
import time
import urllib.parse
from collections import Counter

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def sign(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def encrypt(key, app_id, document):
    plain = os.urandom(16) + struct.pack(">I", len(document)) + document + app_id.encode()
    pad = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def text_push(task, user, text, message_id):
    now = str(int(time.time()))
    nonce = str(int.from_bytes(os.urandom(4), "big"))
    document = (
        f"<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n<FromUserName><![CDATA[{user}]]></FromUserName>\n"
        f"<CreateTime>{now}</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n"
        f"<Content><![CDATA[{text}]]></Content>\n<MsgId>{message_id}</MsgId>\n</xml>"
    ).encode()
    sealed = encrypt(task["key"], task["app_id"], document)
    query = urllib.parse.urlencode({
        "signature": sign(task["token"], now, nonce),
        "timestamp": now,
        "nonce": nonce,
        "openid": user,
        "encrypt_type": "aes",
        "msg_signature": sign(task["token"], now, nonce, sealed),
    })
    body = f"<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return query, body.encode()


def work(task, users, answers, lock):
    connection = http.client.HTTPConnection(task["netloc"], timeout=5)
    while True:
        try:
            user, texts = users.get_nowait()
        except queue.Empty:
            return
        for text, message_id in texts:
            query, body = text_push(task, user, text, message_id)
            try:
                connection.request("POST", f"{task['path']}?{query}", body, {"Content-Type": "text/xml"})
                response = connection.getresponse()
                answer = f"{response.status} {response.read().decode()}"
            except OSError as error:
                connection.close()
                answer = f"error {error}"
            with lock:
                answers[answer] += 1


def main():
    task = json.load(sys.stdin)
    url = urllib.parse.urlsplit(task["url"])
    task.update(netloc=url.netloc, path=url.path, key=base64.b64decode(task["aes_key"] + "="))
    sent = {f"oForeignClientUser{number:010}": [] for number in range(task["users"])}
    names = list(sent)
    first = time.time_ns()
    for number in range(task["pushes"]):
        sent[names[number % len(names)]].append((f"第 {number} 条", first + number))
    users, answers, lock = queue.Queue(), Counter(), threading.Lock()
    for entry in sent.items():
        users.put(entry)
    threads = [threading.Thread(target=work, args=(task, users, answers, lock)) for _ in range(task["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = {user: [text for text, _ in entries] for user, entries in sent.items()}
    json.dump({"answers": answers, "sent": texts}, sys.stdout)


main()

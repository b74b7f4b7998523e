// SPDX-License-Identifier: BSD-2-Clause
//
// onnx_worker.js - the benchmark's worker for onnxruntime: forward, NCHW. The protocol is that
// of worker.h. usage: node onnx_worker.js FOLDER, where npm has installed onnxruntime-node.
//
// The model is a Concat of the image and coordinates that are constants of the model, and a
// Conv. It is written here, in protobuf, field by field.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const ort = require(path.resolve(process.argv[2], 'node_modules', 'onnxruntime-node'));

const SHORT_RUN = 3;  // see worker.c
const PATIENCE = 5;   // the same

// ---- protobuf ----

function varint(n) {
    const bytes = [];
    for (; n > 127; n = Math.floor(n / 128))
        bytes.push(n % 128 + 128);
    bytes.push(n);
    return Buffer.from(bytes);
}

const number = (field, n) => Buffer.concat([varint(field * 8), varint(n)]);

function bytes(field, content) {
    const data = Buffer.isBuffer(content) ? content : Buffer.from(content);
    return Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
}

const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

// ---- the model: field numbers of onnx.proto ----

const FLOAT = 1, INT = 2, INTS = 7;

const initializer = (name, dims, data) => message(
    5, ...dims.map((d) => number(1, d)), number(2, FLOAT), bytes(8, name),
    bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)));

const value = (field, name, dims) => message(field, bytes(1, name), message(2, message(
    1, number(1, FLOAT), message(2, ...dims.map((d) => message(1, number(1, d)))))));

const attribute = (name, type, ...values) => message(
    5, bytes(1, name), ...values.map((v) => number(type === INT ? 3 : 8, v)), number(20, type));

const node = (type, inputs, output, ...attributes) => message(
    1, ...inputs.map((i) => bytes(1, i)), bytes(2, output), bytes(4, type), ...attributes);

function model(d, weight, bias, coords) {
    const conv = [attribute('kernel_shape', INTS, d.k, d.k), attribute('strides', INTS, d.s, d.s),
                  attribute('pads', INTS, d.p, d.p, d.p, d.p)];
    const nodes = [], constants = [];
    if (d.coords > 0) {
        nodes.push(node('Concat', ['x', 'coords'], 'joined', attribute('axis', INT, 1)));
        constants.push(initializer('coords', [d.n, d.coords, d.h, d.w], coords));
    }
    nodes.push(node('Conv', [d.coords > 0 ? 'joined' : 'x', 'weight', 'bias'], 'y', ...conv));
    constants.push(initializer('weight', [d.o, d.c + d.coords, d.k, d.k], weight));
    constants.push(initializer('bias', [d.o], bias));
    const graph = message(7, ...nodes, bytes(2, 'graph'), ...constants,
                          value(11, 'x', [d.n, d.c, d.h, d.w]),
                          value(12, 'y', [d.n, d.o, d.oh, d.ow]));
    return Buffer.concat([number(1, 8), graph, message(8, bytes(1, ''), number(2, 13))]);
}

// ---- jobs ----

function floats(d, name) {
    const data = fs.readFileSync(path.join(d.folder, name));
    return new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
}

function weightOf(d) {
    const all = floats(d, 'w'), taps = d.k * d.k;
    const from = (d.c + 3) * taps, to = (d.c + d.coords) * taps;
    const weight = new Float32Array(d.o * to);
    for (let o = 0; o < d.o; o++)
        weight.set(all.subarray(o * from, o * from + to), o * to);
    return weight;
}

function coordsOf(d) {
    const one = new Float32Array(d.coords * d.h * d.w), map = d.h * d.w;
    const axis = (k, n) => n > 1 ? 2 * k / (n - 1) - 1 : 0;
    for (let i = 0; d.coords > 0 && i < d.h; i++)
        for (let j = 0; j < d.w; j++) {
            const x = axis(j, d.w), y = axis(i, d.h);
            [x, y, Math.hypot(x, y)].slice(0, d.coords).forEach((v, q) => {
                one[q * map + i * d.w + j] = v;
            });
        }
    const all = new Float32Array(d.n * one.length);
    for (let n = 0; n < d.n; n++)
        all.set(one, n * one.length);
    return all;
}

const jobs = new Map();
let threads = 1;

async function make(words) {
    const d = { kind: 'xy', what: 'fwd', s: 1 };
    for (const word of words.slice(1)) {
        const [key, text] = word.split('=');
        d[key] = /^\d+$/.test(text) ? Number(text) : text;
    }
    if (d.what !== 'fwd')
        throw new Error('such job');
    d.coords = { conv: 0, xy: 2, xyr: 3 }[d.kind];
    d.oh = Math.floor((d.h + 2 * d.p - d.k) / d.s) + 1;
    d.ow = Math.floor((d.w + 2 * d.p - d.k) / d.s) + 1;
    threads = d.threads;
    const session = await ort.InferenceSession.create(
        model(d, weightOf(d), floats(d, 'b'), coordsOf(d)),
        { intraOpNumThreads: d.threads, interOpNumThreads: 1, graphOptimizationLevel: 'all' });
    const x = new ort.Tensor('float32', floats(d, 'x.nchw'), [d.n, d.c, d.h, d.w]);
    const size = d.n * d.o * d.oh * d.ow;
    const y = new ort.Tensor('float32', new Float32Array(size), [d.n, d.o, d.oh, d.ow]);
    jobs.set(words[0], { session, feeds: { x }, fetches: { y } });
    return 'ok ' + ort.env.versions.node;
}

async function timed(job) {
    const switches = () => process.resourceUsage().involuntaryContextSwitches;
    const before = switches(), cpu = process.cpuUsage(), start = performance.now();
    job.result = await job.session.run(job.feeds, job.fetches);
    const spent = performance.now() - start, used = process.cpuUsage(cpu);
    const disturbed = switches() !== before;
    return [disturbed && threads === 1 ? (used.user + used.system) / 1e3 : spent, disturbed];
}

function enough(times, spent, budget, least) {
    const some = [...times.values()];
    const clean = Math.min(...some.map((t) => t.filter(([, disturbed]) => !disturbed).length));
    const runs = Math.min(...some.map((t) => t.length));
    return spent > budget && runs >= least && (clean >= least || spent > PATIENCE * budget);
}

async function time(words) {
    const [budget, least, most] = words.slice(0, 3).map(Number), names = words.slice(3);
    const times = new Map(names.map((name) => [name, []])), last = new Map();
    for (const name of names)
        last.set(name, (await timed(jobs.get(name)))[0]);
    const start = performance.now(), cpu = process.cpuUsage();
    for (let turn = 0; turn < most; turn++) {
        if (turn > 0 && enough(times, performance.now() - start, budget, least))
            break;
        for (const name of turn % 2 === 0 ? names : [...names].reverse()) {
            if (last.get(name) < SHORT_RUN)
                await timed(jobs.get(name));
            const run = await timed(jobs.get(name));
            last.set(name, run[0]);
            times.get(name).push(run);
        }
    }
    const used = process.cpuUsage(cpu);
    const share = (used.user + used.system) / 1e3 / (performance.now() - start);
    return 'ok cpu=' + share.toFixed(2) + ' ' + names.map((name) => name + ' ' + times.get(name).map(
        ([t, disturbed]) => t.toPrecision(6) + (disturbed ? '*' : '')).join(' ')).join(' ');
}

function output([name, what, file]) {
    if (what !== 'y')
        throw new Error('such output');
    const y = jobs.get(name).result.y.data;
    fs.writeFileSync(file, Buffer.from(y.buffer, y.byteOffset, y.byteLength));
    return 'ok nchw';
}

async function drop([name]) {
    await jobs.get(name).session.release();
    jobs.delete(name);
    return 'ok';
}

async function main() {
    const commands = { make, time, output, drop };
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [command, ...words] = line.trim().split(/\s+/);
        if (command === 'quit')
            break;
        try {
            console.log(await commands[command](words));
        } catch (error) {
            console.log('no success: ' + String(error.message).replace(/\n/g, ' '));
        }
    }
}

main();

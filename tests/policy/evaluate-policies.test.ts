import { run } from "@bufbuild/cel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Policy, Verdict } from "../../src/domain/policy.ts";
import { toCelInput } from "../../src/policy/cel-input.ts";
import { checkPolicies } from "../../src/policy/check-policies.ts";
import { evaluatePolicies, type PolicyContext } from "../../src/policy/evaluate-policies.ts";
import { testPolicies } from "../../src/policy/test-policies.ts";
import { actionWith, planWith, pullQwen, purgeLlama, richPlan } from "../report/samples.ts";
import { policyWith } from "./samples.ts";

const context: PolicyContext = {
  models: { "qwen3-8b": { license: "apache-2.0", source: { kind: "ollama" }, protect: false, sizeRatio: 1.5 } },
  host: { name: "gpu-01", freeBytes: 60_000_000_000 },
};
const twoActions = planWith([purgeLlama, pullQwen]);

async function verdictsOf(policy: Policy, plan = twoActions): Promise<readonly Verdict[]> {
  return evaluatePolicies([policy], plan, context);
}

describe("evaluatePolicies", () => {
  it("denies exactly the actions that do not satisfy the rule", async () => {
    expect(await verdictsOf(policyWith('action.verb != "purge"'))).toEqual([
      { rule: "policy/rule", effect: "deny", message: "the rule does not hold", actionId: "a1" },
    ]);
  });

  it("evaluates a rule about the plan or the host once, also for a plan without actions", async () => {
    const rule = policyWith("plan.summary.bytesToDownload * 2 < host.freeBytes && plan.actions.size() == 2");
    expect(await verdictsOf(rule)).toEqual([]);
    expect(await verdictsOf(rule, planWith([]))).toEqual([{ rule: "policy/rule", effect: "deny", message: "the rule does not hold" }]);
  });

  it("reads the declared model of the action, and an empty map where nothing is declared", async () => {
    expect(await verdictsOf(policyWith('!has(model.license) || model.license in ["apache-2.0", "mit"]'))).toEqual([]);
    expect((await verdictsOf(policyWith('has(model.license) && model.license == "mit"'))).map((verdict) => verdict.actionId)).toEqual(["a1", "a2"]);
  });

  it("applies a policy only where every match condition is true", async () => {
    const pulls = [{ name: "pulls", expression: 'action.verb == "pull"' }];
    expect((await verdictsOf(policyWith("false", { matchConditions: pulls }))).map((verdict) => verdict.actionId)).toEqual(["a2"]);
  });

  it("offers variables in the order they were written, and reports a failing one only where it is read", async () => {
    const variables = [
      { name: "size", expression: "action.bytesToDownload" },
      { name: "double", expression: "variables.size * 2" },
      { name: "broken", expression: "action.nothing" },
    ];
    expect(await verdictsOf(policyWith("variables.double >= variables.size", { variables }))).toEqual([]);
    const [verdict] = await verdictsOf(policyWith("variables.broken || true", { variables }));
    expect(verdict?.message).toBe("the rule does not hold (could not be evaluated: variable broken: field not found: nothing)");
  });

  it("passes on `true` alone: every other value refuses", async () => {
    for (const expression of ["1", "'true'", "[true]", "{'a': true}", "null", "1.0", "b'x'", "type(1)", "model"]) {
      expect(await verdictsOf(policyWith(expression)), expression).not.toEqual([]);
    }
  });

  it("refuses when an expression cannot be evaluated, unless its failure policy says to ignore that, and says so", async () => {
    const expression = 'model.licence == "mit"';
    const [failed] = await verdictsOf(policyWith(expression));
    expect(failed).toMatchObject({
      effect: "deny",
      actionId: "a1",
      message: "the rule does not hold (could not be evaluated: field not found: licence)",
    });
    const [ignored] = await verdictsOf(policyWith(expression, { failurePolicy: "Ignore" }));
    expect(ignored).toMatchObject({
      effect: "audit",
      actionId: "a1",
      message: "the rule does not hold: could not be evaluated and is ignored (field not found: licence)",
    });
    const [condition] = await verdictsOf(policyWith("true", { matchConditions: [{ name: "odd", expression: "1" }] }));
    expect(condition).toMatchObject({ effect: "deny", message: 'match condition "odd" (could not be evaluated: it is neither true nor false)' });
  });

  it("warns and audits where the policy says so", async () => {
    expect((await verdictsOf(policyWith("false", { action: "Warn" })))[0]?.effect).toBe("warn");
    expect((await verdictsOf(policyWith("false", { action: "Audit" })))[0]?.effect).toBe("audit");
  });

  it("refuses with a policy that is not valid, even when failures are to be ignored", async () => {
    const [verdict, ...more] = await verdictsOf(policyWith("nobody.declared == 1", { failurePolicy: "Ignore" }));
    expect(more).toEqual([]);
    expect(verdict).toMatchObject({ effect: "deny", remedy: "correct policies/rule.yaml:1; holdfast validate shows every fault" });
    expect(verdict?.actionId).toBeUndefined();
  });

  it("treats whole numbers as int and others as double, and compares them with each other", async () => {
    expect(await verdictsOf(policyWith('action.verb == "purge" || (model.sizeRatio > 1 && action.bytesToDownload / 1000 == 5200000)'))).toEqual([]);
  });

  it("gives the same verdicts every time", async () => {
    const rule = policyWith('action.risk != "destructive" && action.bytesToDownload < 1000');
    expect(await evaluatePolicies([rule], richPlan, context)).toEqual(await evaluatePolicies([rule], richPlan, context));
  });
});

describe("hostile expressions", () => {
  const ones = `[${"1,".repeat(400)}1]`;
  const some = `[${"1,".repeat(300)}1]`;
  const probes: Readonly<Record<string, string>> = {
    "20,000 parentheses": `${"(".repeat(20_000)}true${")".repeat(20_000)}`,
    "parentheses within the length limit": `${"(".repeat(900)}true${")".repeat(900)}`,
    "parentheses behind a comment that opens a text": `// '\n${"(".repeat(900)}true${")".repeat(900)}`,
    "brackets nested deeper than the limit": `${"(".repeat(33)}true${")".repeat(33)}`,
    "lists nested deeper than the limit": `${"[".repeat(33)}${"]".repeat(33)} != []`,
    "three nested macros": "[1].all(a, [1].all(b, [1].all(c, true)))",
    "a million rounds": `${ones}.map(x, ${ones}.map(y, y)).size() > 0`,
    "a million rounds whose error is swallowed": `${some}.all(x, ${some}.all(y, ${some}.size() > 0)) || true`,
    "doubling a text": `["aaaaaaaaaa"]${".map(x, x + x)".repeat(30)}[0].size() > 0`,
    "doubling a list": `[[1]]${".map(x, x + x)".repeat(30)}[0].size() > 0`,
    "comparing what was doubled": `[["a"]]${".map(x, [x, x])".repeat(30)} == [["a"]]${".map(x, [x, x])".repeat(30)}`,
    "a pattern on a long text": `!(${"'aaaaaaaaaaaaaaaaaaaa' + ".repeat(70)}'!').matches('^(a+)+$')`,
    "a long pattern": `!'a'.matches('${"b".repeat(300)}')`,
    "counted repetitions": `!'${"b".repeat(500)}'.matches('${"(a?){300}".repeat(15)}(a){300}')`,
    "nested counted repetitions": `!'${"a".repeat(100)}'.matches('((a{10}){10}){10}x')`,
    "a message": "google.protobuf.Struct{}.size() == 0 || true",
    "an undeclared name": "constructor == null || true",
    "the engine's own function": "@round(true)",
  };

  it.each(Object.entries(probes))("SEC-28 refuses %s", async (_name, expression) => {
    const verdicts = await verdictsOf(policyWith(expression));
    expect(verdicts.map((verdict) => verdict.effect)).toEqual(["deny"]);
  });

  it("accepts what lies within the limits", async () => {
    for (const expression of [
      `${"(".repeat(32)}true${")".repeat(32)}`,
      `${some}.all(x, [1, 2].all(y, x <= y))`,
      `${some}.map(x, x + 1).size() == 301`,
      `'${"a".repeat(64)}'.matches('^[0-9a-f]{64}$')`,
    ]) {
      expect(await verdictsOf(policyWith(expression)), expression).toEqual([]);
    }
  });

  it("SEC-28 a linear-time matcher answers a pattern that makes others backtrack", async () => {
    expect(await verdictsOf(policyWith(`!'${"a".repeat(29)}!'.matches('^(a+)+$')`))).toEqual([]);
  });

  it("SEC-28 no name reaches a prototype", async () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
      expect(await verdictsOf(policyWith(`!has(action.${name}) && !has(host.${name}) && !("${name}" in model)`)), name).toEqual([]);
    }
    expect(await evaluatePolicies([policyWith("model == {}")], planWith([actionWith({ ...pullQwen, name: "constructor" })]), context)).toEqual([]);
  });

  it("SEC-28 an error object is never taken for true", async () => {
    for (const expression of ["model.missing", "action.missing || false", "1 / 0 == 1", "[true][5]", "{'a': true}['b']", "int('x') == 1"]) {
      expect((await verdictsOf(policyWith(expression)))[0]?.effect, expression).toBe("deny");
    }
  });

  it("SEC-28 the event loop turns while expensive rules are evaluated over a long plan", async () => {
    const actions = Array.from({ length: 300 }, (_unused, index) => actionWith({ ...pullQwen, id: `a${index + 1}` }));
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    expect(
      await verdictsOf(policyWith(`[${"1,".repeat(200)}1].all(x, [1, 2, 3, 4, 5].all(y, x < y + 1)) && action.verb == "pull"`), planWith(actions)),
    ).toEqual([]);
    running = false;
    expect(turns).toBeGreaterThan(10);
  });

  it("SEC-28 any text as an expression gives verdicts, never an exception, and passes only where the engine alone says true", async () => {
    const words = fc.constantFrom(
      "plan",
      ".summary",
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "==",
      "&&",
      "||",
      "!",
      "true",
      "false",
      "1",
      "'a'",
      "?",
      ":",
      ",",
      ".map(x, ",
      ".all(",
      "-",
      "matches",
      "\u0000",
      "\\",
      '"',
      "//",
    );
    const bindings = { plan: toCelInput(twoActions), host: toCelInput(context.host), action: new Map(), model: new Map() };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ maxLength: 60 }),
          fc.array(words, { maxLength: 25 }).map((parts) => parts.join(" ")),
        ),
        async (expression) => {
          const verdicts = await verdictsOf(policyWith(expression));
          if (verdicts.length === 0) expect(run(expression, bindings)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("checkPolicies", () => {
  it("reports every expression that could never be evaluated, with its place", async () => {
    const policy = policyWith("1 +", {
      matchConditions: [{ name: "c", expression: "variables.later" }],
      variables: [
        { name: "early", expression: "variables.later == 1" },
        { name: "later", expression: "x" },
      ],
    });
    expect((await checkPolicies([policy])).map(({ pointer, message }) => `${pointer} ${message}`)).toMatchInlineSnapshot(`
      [
        "/spec/variables/0/expression policy "rule": the variable "later" is not declared before it is used",
        "/spec/variables/1/expression policy "rule": the name "x" is not declared; there are action, model, plan, host, variables",
        "/spec/validations/0/expression policy "rule": <input>:1:3: found + but expecting end of input",
      ]
    `);
  });

  it("finds nothing wrong with a sound policy", async () => {
    expect(await checkPolicies([policyWith('action.verb == "pull" && [1, 2].exists(action_, action_ == 2)')])).toEqual([]);
  });
});

describe("testPolicies", () => {
  const policy = policyWith('model.license in ["mit"]', {
    tests: [
      { name: "open", input: { model: { license: "mit" } }, expect: "allow" },
      { name: "closed", input: { model: { license: "other" } }, expect: "deny" },
      { name: "wrong expectation", input: { model: { license: "other" } }, expect: "allow" },
      { name: "wrong input", input: { modle: {} }, expect: "deny" },
      { name: "no map", input: ["x"], expect: "deny" },
    ],
  });

  it("runs the tests that stand in the policy and says what differed", async () => {
    expect(await testPolicies([policy])).toMatchInlineSnapshot(`
      [
        {
          "actual": "allow",
          "expected": "allow",
          "messages": [],
          "passed": true,
          "policy": "rule",
          "test": "open",
        },
        {
          "actual": "deny",
          "expected": "deny",
          "messages": [
            "deny: the rule does not hold",
          ],
          "passed": true,
          "policy": "rule",
          "test": "closed",
        },
        {
          "actual": "deny",
          "expected": "allow",
          "messages": [
            "deny: the rule does not hold",
          ],
          "passed": false,
          "policy": "rule",
          "test": "wrong expectation",
        },
        {
          "actual": "deny",
          "expected": "deny",
          "messages": [
            "the input has modle; there are action, model, plan, host",
          ],
          "passed": false,
          "policy": "rule",
          "test": "wrong input",
        },
        {
          "actual": "deny",
          "expected": "deny",
          "messages": [
            "the input of a test is a map with action, model, plan and host",
          ],
          "passed": false,
          "policy": "rule",
          "test": "no map",
        },
      ]
    `);
  });

  it("tells warn from deny, and counts audit as allow", async () => {
    const input = { model: { license: "other" } };
    const warn = policyWith("false", { action: "Warn", tests: [{ name: "warns", input, expect: "warn" }] });
    const audit = policyWith("false", { action: "Audit", tests: [{ name: "allows", input, expect: "allow" }] });
    expect((await testPolicies([warn, audit])).map((result) => result.passed)).toEqual([true, true]);
  });
});

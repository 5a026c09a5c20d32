/**
 * @file A lint rule: no array is spread into the arguments of a call that takes any number of values. An engine passes arguments on
 * its stack and fails at about 120,000 of them ("Maximum call stack size exceeded"), so such a call works until the data is large.
 */
const variadic = new Set(['push', 'unshift', 'splice', 'concat', 'max', 'min', 'hypot', 'fromCharCode', 'fromCodePoint', 'of']);

const noSpreadArguments = {
  create(context) {
    return {
      CallExpression({ callee, arguments: values }) {
        if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
        const { name } = callee.property;
        const spread = variadic.has(name) ? values.find(({ type }) => type === 'SpreadElement') : undefined;
        if (spread !== undefined) {
          context.report({ node: spread, message: `A long array fails as arguments of ${name}: loop over it (src/extremes.ts).` });
        }
        if (name === 'apply' && callee.object.type !== 'ThisExpression' && values.length === 2) {
          context.report({ node: callee, message: 'A long array fails as arguments of apply: loop over it.' });
        }
      },
    };
  },
};

export default { meta: { name: 'rmac' }, rules: { 'bounded-arguments': noSpreadArguments } };
